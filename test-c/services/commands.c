/* skynet_command, word by word. */
#include "probe.h"
#include <time.h>
#include <unistd.h>

#define ANSWER(ctx, cmd, parm) FACT(ctx, "%s [%s] -> %s", cmd, text(parm), text(skynet_command(ctx, cmd, parm)))

static int names(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	ANSWER(ctx, "REG", NULL);
	ANSWER(ctx, "REG", "");
	ANSWER(ctx, "REG", ".one");
	ANSWER(ctx, "REG", ".one");
	ANSWER(ctx, "REG", "global");
	ANSWER(ctx, "QUERY", ".one");
	ANSWER(ctx, "QUERY", ".none");
	ANSWER(ctx, "QUERY", "one");
	ANSWER(ctx, "NAME", ".two :2");
	ANSWER(ctx, "NAME", ".two :1");
	ANSWER(ctx, "NAME", ".three 2");
	ANSWER(ctx, "NAME", ".three :0");
	ANSWER(ctx, "NAME", "global :2");
	ANSWER(ctx, "QUERY", ".two");
	ANSWER(ctx, "QUERY", ".logger");
	FACT(ctx, "query :ff %x", skynet_queryname(ctx, ":ff"));
	FACT(ctx, "query .two %x", skynet_queryname(ctx, ".two"));
	FACT(ctx, "query .none %x", skynet_queryname(ctx, ".none"));
	FACT(ctx, "query global %x", skynet_queryname(ctx, "global"));
	DONE(ctx);
	return 0;
}

static int unknown(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	ANSWER(ctx, "NOSUCH", "x");
	ANSWER(ctx, "reg", NULL);
	ANSWER(ctx, "", NULL);
	ANSWER(ctx, "REGX", NULL);
	DONE(ctx);
	return 0;
}

static int results(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	const char *reg = skynet_command(ctx, "REG", NULL);
	const char *timeout = skynet_command(ctx, "TIMEOUT", "1000000");
	const char *start = skynet_command(ctx, "STARTTIME", NULL);
	FACT(ctx, "one buffer %d", reg == timeout && timeout == start);
	skynet_command(ctx, "SETENV", "kept first value");
	const char *kept = skynet_command(ctx, "GETENV", "kept");
	for (int i = 0; i < 100; i++) {
		char pair[32];
		snprintf(pair, sizeof pair, "key%d value%d", i, i);
		skynet_command(ctx, "SETENV", pair);
	}
	FACT(ctx, "kept %s", kept);
	DONE(ctx);
	return 0;
}

static int environment(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	ANSWER(ctx, "GETENV", "nothing");
	ANSWER(ctx, "SETENV", "nothing");
	ANSWER(ctx, "GETENV", "nothing");
	ANSWER(ctx, "SETENV", "fruit apple and pear");
	ANSWER(ctx, "GETENV", "fruit");
	ANSWER(ctx, "SETENV", "empty ");
	ANSWER(ctx, "GETENV", "empty");
	ANSWER(ctx, "GETENV", "thread");
	ANSWER(ctx, "GETENV", "harbor");
	ANSWER(ctx, "GETENV", "profile");
	ANSWER(ctx, "GETENV", "logservice");
	ANSWER(ctx, "GETENV", "logger");
	ANSWER(ctx, "GETENV", "daemon");
	ANSWER(ctx, "GETENV", "float");
	ANSWER(ctx, "GETENV", "huge");
	ANSWER(ctx, "GETENV", "yes");
	ANSWER(ctx, "GETENV", "no");
	ANSWER(ctx, "GETENV", "included");
	ANSWER(ctx, "GETENV", "from_env");
	DONE(ctx);
	return 0;
}

static int setenv_twice(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_command(ctx, "SETENV", "twice first");
	ANSWER(ctx, "SETENV", "twice second");
	ANSWER(ctx, "GETENV", "twice");
	DONE(ctx);
	return 0;
}

static int clocks(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	long start = strtol(skynet_command(ctx, "STARTTIME", NULL), NULL, 10);
	long apart = (long)time(NULL) - start;
	FACT(ctx, "starttime near %d", apart >= -1 && apart <= 60);
	/* The clock begins with the hundredths of the second in which the node started. */
	FACT(ctx, "now small %d", skynet_now() < 6000);
	DONE(ctx);
	return 0;
}

static int launch(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	ANSWER(ctx, "LAUNCH", "commands show  two  words ");
	ANSWER(ctx, "LAUNCH", "commands\tshow tab");
	ANSWER(ctx, "LAUNCH", "commands show line\nmore");
	ANSWER(ctx, "LAUNCH", "plain");
	ANSWER(ctx, "LAUNCH", "plain ");
	ANSWER(ctx, "LAUNCH", "nosuchmodule x");
	ANSWER(ctx, "LAUNCH", "commands fail");
	char much[4000];
	snprintf(much, sizeof much, "commands show %0*d\r%d", 3000, 0, 1);
	FACT(ctx, "launched %d", skynet_command(ctx, "LAUNCH", much) != NULL);
	DONE(ctx);
	return 0;
}

static int show(struct skynet_context *ctx, const char *args)
{
	if (strlen(args) > 100) {
		FACT(ctx, "args of %d zeros and %d others", (int)strspn(args, "0"), (int)(strlen(args) - strspn(args, "0")));
		return 0;
	}
	FACT(ctx, "args <%s>", args);
	return 0;
}

static int fail(struct skynet_context *ctx, const char *args)
{
	UNUSED(ctx);
	UNUSED(args);
	return 1;
}

static int addresses(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	ANSWER(ctx, "KILL", "word");
	ANSWER(ctx, "SIGNAL", "word");
	ANSWER(ctx, "LOGON", "word");
	ANSWER(ctx, "LOGOFF", "word");
	ANSWER(ctx, "KILL", ".none");
	ANSWER(ctx, "SIGNAL", ".none");
	ANSWER(ctx, "SIGNAL", ":ffff");
	ANSWER(ctx, "LOGON", ":ffff");
	ANSWER(ctx, "LOGOFF", ":ffff");
	DONE(ctx);
	return 0;
}

static int monitor(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	ANSWER(ctx, "MONITOR", NULL);
	ANSWER(ctx, "MONITOR", ":2");
	ANSWER(ctx, "MONITOR", "");
	ANSWER(ctx, "MONITOR", ".logger");
	ANSWER(ctx, "MONITOR", NULL);
	ANSWER(ctx, "MONITOR", ":0");
	ANSWER(ctx, "MONITOR", NULL);
	DONE(ctx);
	return 0;
}

static int stat_seen;

/* About 50 ms of work for the clocks to see. */
static void stat_work(void)
{
	struct timespec from, to;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	do {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	} while ((to.tv_sec - from.tv_sec) * 1000000000L + to.tv_nsec - from.tv_nsec < 50000000L);
}

static int stat_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	if (++stat_seen == 1) {
		uint32_t me = self(ctx);
		ANSWER(ctx, "STAT", "mqlen");
		ANSWER(ctx, "STAT", "message");
		ANSWER(ctx, "STAT", "endless");
		ANSWER(ctx, "STAT", "nothing");
		FACT(ctx, "cpu has a fraction %d", strchr(skynet_command(ctx, "STAT", "cpu"), '.') != NULL);
		for (int i = 0; i < 5; i++)
			skynet_send(ctx, 0, me, PTYPE_TEXT, 0, NULL, 0);
		ANSWER(ctx, "STAT", "mqlen");
		stat_work();
		FACT(ctx, "time counts %d", atof(skynet_command(ctx, "STAT", "time")) >= 0.045);
	} else if (stat_seen == 2) {
		ANSWER(ctx, "STAT", "mqlen");
		ANSWER(ctx, "STAT", "message");
		double cpu = atof(skynet_command(ctx, "STAT", "cpu"));
		FACT(ctx, "cpu counts %d", cpu >= 0.045 && cpu < 5);
		FACT(ctx, "time restarts %d", atof(skynet_command(ctx, "STAT", "time")) < 0.045);
	} else if (stat_seen == 5) {
		/* After short messages, so that a core that takes several together has reason to. */
		stat_work();
	} else if (stat_seen == 6) {
		FACT(ctx, "cpu counts the message before %d", atof(skynet_command(ctx, "STAT", "cpu")) >= 0.09);
		DONE(ctx);
	}
	return 0;
}

static int stat(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	begin(ctx, stat_cb, NULL);
	return 0;
}

static int stat_unprofiled_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	ANSWER(ctx, "STAT", "time");
	ANSWER(ctx, "STAT", "cpu");
	DONE(ctx);
	return 0;
}

static int stat_unprofiled(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	begin(ctx, stat_unprofiled_cb, NULL);
	return 0;
}

static int old_words_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	if (stat_seen++ == 0) {
		skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, 0, NULL, 0);
		skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, 0, NULL, 0);
		ANSWER(ctx, "MQLEN", NULL);
		ANSWER(ctx, "ENDLESS", NULL);
		DONE(ctx);
	}
	return 0;
}

static int old_words(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	begin(ctx, old_words_cb, NULL);
	return 0;
}

static int signals(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	uint32_t other = handle_of(skynet_command(ctx, "LAUNCH", "commands show x"));
	order(ctx, "SIGNAL", other, "");
	order(ctx, "SIGNAL", other, " 7");
	order(ctx, "SIGNAL", other, " 0x10");
	order(ctx, "SIGNAL", other, " -3");
	order(ctx, "SIGNAL", other, " word");
	skynet_command(ctx, "SIGNAL", ".logger 1");
	skynet_error(NULL, "done");
	return 0;
}

void *commands_create(void)
{
	return malloc(1);
}

int commands_init(void *inst, struct skynet_context *ctx, const char *parm)
{
	static const struct role roles[] = {
		{"names", names}, {"unknown", unknown}, {"results", results}, {"environment", environment},
		{"setenv_twice", setenv_twice}, {"clocks", clocks}, {"launch", launch}, {"show", show}, {"fail", fail},
		{"addresses", addresses}, {"monitor", monitor}, {"stat", stat}, {"stat_unprofiled", stat_unprofiled},
		{"old_words", old_words}, {"signals", signals}, {NULL, NULL},
	};
	UNUSED(inst);
	return play(roles, ctx, parm);
}

void commands_release(void *inst)
{
	free(inst);
}

void commands_signal(void *inst, int number)
{
	UNUSED(inst);
	/* The caller's thread, not the service's: there is no context here. */
	skynet_error(NULL, "fact signal %d on %x", number, skynet_current_handle());
}
