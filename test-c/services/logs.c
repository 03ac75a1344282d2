/* skynet_error, the log service and the message logs. */
#include "probe.h"

static int lines(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	char middle[300], big[70001];
	memset(middle, 'm', sizeof middle - 1);
	middle[sizeof middle - 1] = 0;
	memset(big, 'b', sizeof big - 1);
	big[sizeof big - 1] = 0;
	skynet_error(ctx, "int %d hex %08x text %s percent %%", -5, 0xabcu, "word");
	skynet_error(ctx, "wide %5d|%-5d|%.3f|%c|%lld|%zu", 42, 42, 1.5, 'x', 1LL << 40, (size_t)7);
	skynet_error(NULL, "from nobody");
	skynet_error(ctx, "%s", "");
	skynet_error(ctx, "two\nlines");
	skynet_error(ctx, "%*s", 7, "counted and cut");
	skynet_error(ctx, "%*s", 9, "with\0zero and more");
	skynet_error(ctx, "%*s", 0, "nothing");
	skynet_error(ctx, "%*s|", 6, "pad");
	skynet_error(ctx, "%.*s", 3, "precision");
	skynet_error(ctx, "%s", middle);
	skynet_error(ctx, "%.255s", middle);
	skynet_error(ctx, "%.256s", middle);
	skynet_error(ctx, "%s", big);
	DONE(ctx);
	return 0;
}

/* Writes a line for each message and each tick, so that a test sees where lines go. */
static int talk_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(source), UNUSED(msg), UNUSED(sz);
	skynet_error(ctx, "tick %d", session);
	skynet_command(ctx, "TIMEOUT", "2");
	return 0;
}

static int talks(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	begin(ctx, talk_cb, NULL);
	return 0;
}

static int target_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(source), UNUSED(msg), UNUSED(sz);
	if (session == 99)
		skynet_send(ctx, 0, 2, PTYPE_CLIENT, 0, NULL, 0);
	return 0;
}

static int target(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, target_cb);
	return 0;
}

static int record_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	static uint32_t other;
	if (type == PTYPE_TEXT) {
		other = handle_of(skynet_command(ctx, "LAUNCH", "logs target"));
		order(ctx, "LOGON", other, "");
		order(ctx, "LOGON", other, "");
		skynet_send(ctx, 0, other, PTYPE_TEXT, 0, "hello", 5);
		skynet_send(ctx, 0, other, PTYPE_TEXT, 7, NULL, 0);
		skynet_send(ctx, 0xabcd, other, 200, 42, "\0\1\2\377", 4);
		skynet_send(ctx, 0, other, PTYPE_RESPONSE, 99, NULL, 0);
		return 0;
	}
	order(ctx, "LOGOFF", other, "");
	order(ctx, "LOGOFF", other, "");
	DONE(ctx);
	return 0;
}

static int records(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	begin(ctx, record_cb, NULL);
	return 0;
}

static int unwritable(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_command(ctx, "LOGON", ":2");
	skynet_command(ctx, "LOGOFF", ":2");
	DONE(ctx);
	return 0;
}

/* A log service of somebody else: it gets the lines, and the SIGHUP notice. */
static int sink_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ctx), UNUSED(ud);
	printf("[:%08x] fact type %d session %d size %zu %s<%.*s>\n", source, type, session, sz, msg ? "" : "null ", (int)sz, (const char *)msg);
	if (sz == 4 && memcmp(msg, "done", 4) == 0)
		printf("[:%08x] done\n", source);
	fflush(stdout);
	return 0;
}

static int sink(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, sink_cb);
	return 0;
}

static int speaks(struct skynet_context *ctx, const char *args)
{
	skynet_error(ctx, "%s", args);
	skynet_error(ctx, "ready");
	return 0;
}

/* Lines that nobody reads before the workers run. */
static int burst(struct skynet_context *ctx, const char *args)
{
	for (int i = atoi(args); i > 0; i--)
		skynet_error(ctx, "line %d", i);
	DONE(ctx);
	return 0;
}

int logs_init(void *inst, struct skynet_context *ctx, const char *parm)
{
	static const struct role roles[] = {
		{"lines", lines}, {"talks", talks}, {"records", records}, {"target", target},
		{"unwritable", unwritable}, {"speaks", speaks}, {"burst", burst}, {NULL, NULL},
	};
	UNUSED(inst);
	/* The log service gets the value of `logger`, which is NULL when the config has none. */
	if (parm == NULL || strncmp(parm, "sink", 4) == 0)
		return sink(ctx, parm);
	return play(roles, ctx, parm);
}
