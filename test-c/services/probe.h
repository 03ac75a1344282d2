/* What the test services share: lines that the tests read, and roles.
 *
 * A service reports what it sees with FACT, one line of the log each, and says DONE when it has seen everything.
 * The first word of its launch argument picks one of its roles.
 */
#ifndef PROBE_H
#define PROBE_H

#include <skynet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FACT(ctx, ...) skynet_error(ctx, "fact " __VA_ARGS__)
#define DONE(ctx) skynet_error(ctx, "done")
#define UNUSED(x) ((void)(x))

struct role {
	const char *name;
	int (*init)(struct skynet_context *ctx, const char *args);
};

static inline int play(const struct role *roles, struct skynet_context *ctx, const char *parm)
{
	size_t word = strcspn(parm, " ");
	const char *args = parm + word + strspn(parm + word, " ");
	for (; roles->name; roles++) {
		if (strlen(roles->name) == word && memcmp(roles->name, parm, word) == 0)
			return roles->init(ctx, args);
	}
	FACT(ctx, "no role %s", parm);
	return 1;
}

static inline const char *text(const char *s)
{
	return s ? s : "(null)";
}

/* The handle in a ":%x" answer, 0 for NULL. */
static inline uint32_t handle_of(const char *answer)
{
	return answer ? (uint32_t)strtoul(answer + 1, NULL, 16) : 0;
}

static inline uint32_t self(struct skynet_context *ctx)
{
	return handle_of(skynet_command(ctx, "REG", NULL));
}

/* A command that names a handle: KILL, LOGON, SIGNAL ... */
static inline const char *order(struct skynet_context *ctx, const char *cmd, uint32_t handle, const char *rest)
{
	char parm[64];
	snprintf(parm, sizeof parm, ":%x%s", handle, rest);
	return skynet_command(ctx, cmd, parm);
}

/* Calls back as soon as init is over, on a worker. */
static inline void begin(struct skynet_context *ctx, skynet_cb cb, void *ud)
{
	skynet_callback(ctx, ud, cb);
	skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, 0, "begin", 5);
}

#endif
