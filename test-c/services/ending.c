/* How a node ends: signals, the command SHUTDOWN. */
#include "probe.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINES 3000

static int ignore_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ctx), UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	return 0;
}

/* More lines than the log service can have read when the signal comes. */
static int floods_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	for (int i = 1; i <= LINES; i++)
		FACT(ctx, "line %d", i);
	kill(getpid(), SIGTERM);
	return 0;
}

static int floods(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	begin(ctx, floods_cb, NULL);
	return 0;
}

/* The last line says why the process ends. */
static int exits_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	for (int i = 1; i <= LINES; i++)
		FACT(ctx, "line %d", i);
	exit(3);
}

static int exits(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	begin(ctx, exits_cb, NULL);
	return 0;
}

static int idles(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, ignore_cb);
	skynet_error(ctx, "ready");
	return 0;
}

/* Asks another service for an answer before it has finished. */
static int asks_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(session);
	if (type == PTYPE_SYSTEM) {
		uint32_t other = handle_of(skynet_command(ctx, "QUERY", ".answers"));
		FACT(ctx, "told by %x <%.*s>", source, (int)sz, (const char *)msg);
		FACT(ctx, "awaited %s", text(skynet_command(ctx, "SHUTDOWN", NULL)));
		skynet_send(ctx, 0, other, PTYPE_TEXT | PTYPE_TAG_ALLOCSESSION, 0, "save", 4);
	} else if (type == PTYPE_RESPONSE) {
		FACT(ctx, "answered <%.*s>", (int)sz, (const char *)msg);
		skynet_command(ctx, "SHUTDOWN", "done");
	}
	return 0;
}

static int answers_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(msg), UNUSED(sz);
	if (type == PTYPE_TEXT)
		skynet_send(ctx, 0, source, PTYPE_RESPONSE, session, "saved", 5);
	else
		FACT(ctx, "type %d for one that did not ask", type);
	return 0;
}

static int answers(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_command(ctx, "REG", ".answers");
	skynet_callback(ctx, NULL, answers_cb);
	return 0;
}

static int asks(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_command(ctx, "LAUNCH", "ending answers");
	skynet_callback(ctx, NULL, asks_cb);
	FACT(ctx, "before %s", text(skynet_command(ctx, "SHUTDOWN", NULL)));
	FACT(ctx, "on %s", text(skynet_command(ctx, "SHUTDOWN", "on")));
	FACT(ctx, "unknown %s", text(skynet_command(ctx, "SHUTDOWN", "what")));
	skynet_error(ctx, "ready");
	return 0;
}

/* Is told, and never finishes. */
static int never_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	if (type == PTYPE_SYSTEM)
		FACT(ctx, "told");
	return 0;
}

static int never(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, never_cb);
	skynet_command(ctx, "SHUTDOWN", "on");
	skynet_error(ctx, "ready");
	return 0;
}

/* One of them dies when it is told, and so does one that has not read the notice yet. */
static int dies_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	if (type == PTYPE_SYSTEM) {
		skynet_command(ctx, "KILL", ".never");
		skynet_command(ctx, "EXIT", NULL);
		/* Too late to be awaited. */
		skynet_command(ctx, "SHUTDOWN", "on");
	}
	return 0;
}

static int dies(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	char name[32];
	snprintf(name, sizeof name, ".never :%x", handle_of(skynet_command(ctx, "LAUNCH", "ending never")));
	skynet_command(ctx, "NAME", name);
	skynet_callback(ctx, NULL, dies_cb);
	skynet_command(ctx, "SHUTDOWN", "on");
	skynet_error(ctx, "both ask");
	return 0;
}

/* Has said that it does not want to know any more; begins the end by itself. */
static int begins_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	if (type == PTYPE_SYSTEM)
		FACT(ctx, "told after all");
	skynet_command(ctx, "SHUTDOWN", "on");
	skynet_command(ctx, "SHUTDOWN", "off");
	skynet_command(ctx, "SHUTDOWN", "begin");
	skynet_command(ctx, "SHUTDOWN", "begin");
	return 0;
}

static int begins(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	begin(ctx, begins_cb, NULL);
	return 0;
}

/* Starts another one when it is told, which asks while the node ends. */
static int late_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	if (type == PTYPE_SYSTEM) {
		if (ud == NULL)
			skynet_command(ctx, "LAUNCH", "ending late last");
		FACT(ctx, "%s told", ud ? "second" : "first");
		skynet_command(ctx, "SHUTDOWN", "done");
	}
	return 0;
}

static int late(struct skynet_context *ctx, const char *args)
{
	static int second;
	skynet_callback(ctx, args[0] ? &second : NULL, late_cb);
	skynet_command(ctx, "SHUTDOWN", "on");
	skynet_error(ctx, "ready");
	return 0;
}

/* A handler of the module's own. */
static void leave(int signal)
{
	UNUSED(signal);
	_exit(7);
}

static int handles_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	signal(SIGTERM, leave);
	skynet_error(ctx, "ready");
	return 0;
}

/* Before the node looks at the signal, or afterwards. */
static int handles(struct skynet_context *ctx, const char *args)
{
	if (args[0]) {
		signal(SIGTERM, leave);
		return idles(ctx, args);
	}
	begin(ctx, handles_cb, NULL);
	return 0;
}

/* A child of the process that does nothing by itself. */
static int forks_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	int status;
	pid_t child = fork();
	if (child == 0)
		for (;;)
			pause();
	kill(child, SIGTERM);
	waitpid(child, &status, 0);
	FACT(ctx, "child ended by %d", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
	DONE(ctx);
	return 0;
}

static int forks(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	begin(ctx, forks_cb, NULL);
	return 0;
}

/* Does not come back. */
static int hangs_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	skynet_error(ctx, "ready");
	for (;;)
		pause();
	return 0;
}

static int hangs(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	begin(ctx, hangs_cb, NULL);
	return 0;
}

void *ending_create(void)
{
	return malloc(1);
}

int ending_init(void *inst, struct skynet_context *ctx, const char *parm)
{
	static const struct role roles[] = {
		{"floods", floods}, {"idles", idles}, {"asks", asks}, {"answers", answers}, {"never", never},
		{"dies", dies}, {"begins", begins}, {"late", late}, {"handles", handles}, {"forks", forks},
		{"hangs", hangs}, {"exits", exits}, {NULL, NULL},
	};
	UNUSED(inst);
	return play(roles, ctx, parm);
}

void ending_release(void *inst)
{
	free(inst);
	fputs("released\n", stderr);
}
