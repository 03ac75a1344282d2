/* Sending and receiving: order, sessions, copies, ownership, failures. */
#include "probe.h"
#include <stdatomic.h>
#include <unistd.h>

static int dump_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud);
	if (msg == NULL)
		FACT(ctx, "type %d session %d source %x null size %zu", type, session, source, sz);
	else
		FACT(ctx, "type %d session %d source %x size %zu <%.*s>", type, session, source, sz, (int)sz, (const char *)msg);
	if (type == 99)
		DONE(ctx);
	return 0;
}

/* Everything goes to the service itself, during init; the callback comes last. */
static int shapes(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	uint32_t me = self(ctx);
	char *own = malloc(3);
	memcpy(own, "own", 3);
	FACT(ctx, "send %d", skynet_send(ctx, 0, me, PTYPE_TEXT, 5, "copied", 6));
	FACT(ctx, "send %d", skynet_send(ctx, 0, me, PTYPE_RESERVED_LUA | PTYPE_TAG_DONTCOPY, 0, own, 3));
	FACT(ctx, "send %d", skynet_send(ctx, 0x77, me, 0x1234, 0, NULL, 0));
	FACT(ctx, "send %d", skynet_send(ctx, 0, me, 255, -7, "", 0));
	FACT(ctx, "send %d", skynet_send(ctx, 0, me, PTYPE_TEXT | PTYPE_TAG_ALLOCSESSION, 0, "x", 1));
	FACT(ctx, "send %d", skynet_sendname(ctx, 0, ":2", PTYPE_TEXT | PTYPE_TAG_ALLOCSESSION, 0, "y", 1));
	skynet_command(ctx, "REG", ".me");
	FACT(ctx, "send %d", skynet_sendname(ctx, 0x55, ".me", 99, 9, "z", 1));
	skynet_callback(ctx, NULL, dump_cb);
	return 0;
}

static int end_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source);
	const char *text = msg;
	FACT(ctx, "byte after the end %d", text[sz]);
	if (session == 2)
		DONE(ctx);
	return 0;
}

static int terminated(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	char full[64];
	memset(full, 'f', sizeof full);
	skynet_callback(ctx, NULL, end_cb);
	skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, 1, full, 15);
	skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, 2, full, 0);
	return 0;
}

static int sessions(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	int alloc = PTYPE_TEXT | PTYPE_TAG_ALLOCSESSION;
	FACT(ctx, "genid %d", skynet_send(ctx, 0, 0, alloc, 0, NULL, 0));
	FACT(ctx, "send %d", skynet_send(ctx, 0, 1, alloc, 0, "to the log", 10));
	FACT(ctx, "timeout %s", skynet_command(ctx, "TIMEOUT", "100000"));
	FACT(ctx, "genid %d", skynet_send(ctx, 0, 0, alloc, 0, NULL, 0));
	FACT(ctx, "dead %d", skynet_send(ctx, 0, 0xffff, alloc, 0, NULL, 0));
	FACT(ctx, "genid %d", skynet_send(ctx, 0, 0, alloc, 0, NULL, 0));
	FACT(ctx, "given %d", skynet_send(ctx, 0, 0, PTYPE_TEXT, 77, NULL, 0));
	/* The sessions of one service say nothing about those of another. */
	uint32_t other = handle_of(skynet_command(ctx, "LAUNCH", "messages genid"));
	FACT(ctx, "launched %d", other != 0);
	DONE(ctx);
	return 0;
}

static int genid(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	FACT(ctx, "other genid %d", skynet_send(ctx, 0, 0, PTYPE_TAG_ALLOCSESSION, 0, NULL, 0));
	return 0;
}

static int failures(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	size_t huge = (size_t)1 << 56;
	FACT(ctx, "to nobody %d", skynet_send(ctx, 0, 0, PTYPE_TEXT, 3, "x", 1));
	FACT(ctx, "to nobody, own %d", skynet_send(ctx, 0, 0, PTYPE_TEXT | PTYPE_TAG_DONTCOPY, 3, malloc(8), 8));
	FACT(ctx, "to the dead %d", skynet_send(ctx, 0, 0xffff, PTYPE_TEXT, 3, "x", 1));
	FACT(ctx, "to the dead by name %d", skynet_sendname(ctx, 0, ":ffff", PTYPE_TEXT, 3, "x", 1));
	FACT(ctx, "to an unknown name %d", skynet_sendname(ctx, 0, ".none", PTYPE_TEXT, 3, "x", 1));
	FACT(ctx, "too large %d", skynet_send(ctx, 0, 2, PTYPE_TEXT, 3, NULL, huge));
	FACT(ctx, "too large, own %d", skynet_send(ctx, 0, 2, PTYPE_TEXT | PTYPE_TAG_DONTCOPY, 3, malloc(8), huge));
	FACT(ctx, "too large by name %d", skynet_sendname(ctx, 0, "global", PTYPE_TEXT, 3, NULL, huge));
	DONE(ctx);
	return 0;
}

/* Resident memory of this process in MiB. */
static long resident(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	if (f) {
		if (fscanf(f, "%*d %ld", &pages) != 1)
			pages = 0;
		fclose(f);
	}
	return pages * sysconf(_SC_PAGESIZE) >> 20;
}

static void *block(size_t size)
{
	char *mem = malloc(size);
	memset(mem, 1, size);
	return mem;
}

/* 400 MiB on each path of failure. What is not freed shows. */
static int consumed(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	size_t mib = 1 << 20, huge = (size_t)1 << 56;
	int own = PTYPE_TEXT | PTYPE_TAG_DONTCOPY;
	long before = resident();
	for (int i = 0; i < 400; i++) {
		skynet_send(ctx, 0, 0, own, 1, block(mib), mib);
		skynet_send(ctx, 0, 0xffff, own, 1, block(mib), mib);
		skynet_send(ctx, 0, 2, own, 1, block(mib), huge);
		skynet_sendname(ctx, 0, ".none", own, 1, block(mib), mib);
		skynet_sendname(ctx, 0, ":ffff", own, 1, block(mib), mib);
		skynet_sendname(ctx, 0, "global", own, 1, block(mib), huge);
	}
	FACT(ctx, "kept less than 200 MiB %d", resident() - before < 200);
	DONE(ctx);
	return 0;
}

/* A service without a callback gets 400 MiB; a later message to ourselves tells that it has had them. */
static uint32_t silent;
static long silent_before;

static int silent_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(source), UNUSED(msg), UNUSED(sz);
	if (session < 400) {
		skynet_send(ctx, 0, silent, PTYPE_TEXT | PTYPE_TAG_DONTCOPY, 0, block(1 << 20), 1 << 20);
		skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, session + 1, NULL, 0);
	} else {
		FACT(ctx, "kept less than 200 MiB %d", resident() - silent_before < 200);
		DONE(ctx);
	}
	return 0;
}

static int without_callback(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	silent = handle_of(skynet_command(ctx, "LAUNCH", "messages silent"));
	silent_before = resident();
	skynet_callback(ctx, NULL, silent_cb);
	skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, 1, NULL, 0);
	return 0;
}

static int silent_init(struct skynet_context *ctx, const char *args)
{
	UNUSED(ctx), UNUSED(args);
	return 0;
}

static char *kept;

static int keep_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(source), UNUSED(sz);
	if (session == 1) {
		kept = (char *)msg;
		return 1;
	}
	if (session < 100)
		return 0;
	FACT(ctx, "kept <%s>", kept);
	free(kept);
	DONE(ctx);
	return 0;
}

static int keep(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, keep_cb);
	for (int i = 1; i <= 100; i++)
		skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, i, i == 1 ? "the first" : "another", 9 - 2 * (i != 1));
	return 0;
}

/* Many senders, one receiver: each sender's messages in order, one callback at a time. */
#define SENDERS 8
#define EACH 20000

static atomic_int inside;
static int received, expected[SENDERS], misordered, overlapped;

static int fan_in_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(source), UNUSED(sz), UNUSED(msg);
	overlapped += atomic_fetch_add(&inside, 1) != 0;
	int sender = session >> 24;
	misordered += expected[sender]++ != (session & 0xffffff);
	if (++received == SENDERS * EACH) {
		FACT(ctx, "misordered %d overlapped %d", misordered, overlapped);
		DONE(ctx);
	}
	atomic_fetch_sub(&inside, 1);
	return 0;
}

static int fan_in(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, fan_in_cb);
	for (int i = 0; i < SENDERS; i++) {
		char line[64];
		snprintf(line, sizeof line, "messages sender %d", i);
		skynet_command(ctx, "LAUNCH", line);
	}
	return 0;
}

static int sender_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(type), UNUSED(source), UNUSED(msg), UNUSED(sz);
	int id = (int)(intptr_t)ud;
	/* In portions, so that the senders take turns on the workers. */
	for (int i = 0; i < 100; i++, session++)
		skynet_send(ctx, 0, 2, PTYPE_TEXT, id << 24 | session, NULL, 0);
	if (session < EACH)
		skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, session, NULL, 0);
	return 0;
}

static int sender(struct skynet_context *ctx, const char *args)
{
	skynet_callback(ctx, (void *)(intptr_t)atoi(args), sender_cb);
	skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, 0, NULL, 0);
	return 0;
}

/* Floods itself; the queue grows to the number given, is emptied, and grows again. */
static int flood_size, floods;

static int flood_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(source), UNUSED(msg), UNUSED(sz);
	if (type == PTYPE_CLIENT) {
		if (session < flood_size)
			return 0;
		if (floods == 2) {
			DONE(ctx);
			return 0;
		}
		skynet_command(ctx, "TIMEOUT", "5");
		return 0;
	}
	floods++;
	for (int i = 1; i <= flood_size; i++)
		skynet_send(ctx, 0, self(ctx), PTYPE_CLIENT, i, NULL, 0);
	return 0;
}

static int flood(struct skynet_context *ctx, const char *args)
{
	flood_size = atoi(args);
	begin(ctx, flood_cb, NULL);
	return 0;
}

static int who_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	FACT(ctx, "callback %x data %s", skynet_current_handle(), (const char *)ud);
	DONE(ctx);
	return 0;
}

static int who(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	FACT(ctx, "init %x", skynet_current_handle());
	int harbor = -1;
	int remote = skynet_isremote(ctx, 0x05000001, &harbor);
	FACT(ctx, "remote %d harbor %d", remote, harbor);
	remote = skynet_isremote(ctx, 0x07000001, &harbor);
	FACT(ctx, "remote %d harbor %d", remote, harbor);
	FACT(ctx, "remote %d", skynet_isremote(ctx, 1, NULL));
	FACT(ctx, "self %s", skynet_command(ctx, "REG", NULL));
	begin(ctx, who_cb, "given");
	return 0;
}

/* Services whose mail never ends, more than the run queue of a worker takes: all get on. For one worker. */
#define CROWD 600
#define ENOUGH 1000
static int crowd_handled[CROWD];

static int busy_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	static int behind = CROWD;
	int *handled = ud;
	if (++*handled == ENOUGH && --behind == 0) {
		int most = 0;
		for (int i = 0; i < CROWD; i++)
			most = crowd_handled[i] > most ? crowd_handled[i] : most;
		FACT(ctx, "far ahead %d", most > 20 * ENOUGH);
		DONE(ctx);
	}
	skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, 0, NULL, 0);
	return 0;
}

static int busy(struct skynet_context *ctx, const char *args)
{
	skynet_callback(ctx, &crowd_handled[atoi(args)], busy_cb);
	for (int i = 0; i < 100; i++)
		skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, 0, NULL, 0);
	return 0;
}

static int crowd(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	char launch[32];
	for (int i = 0; i < CROWD; i++) {
		snprintf(launch, sizeof launch, "messages busy %d", i);
		skynet_command(ctx, "LAUNCH", launch);
	}
	return 0;
}

/* Calls that the C core answers by aborting the process. */
static int misuse(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	FACT(ctx, "session twice %d", skynet_send(ctx, 0, 1, PTYPE_TEXT | PTYPE_TAG_ALLOCSESSION, 5, NULL, 0) < 0);
	FACT(ctx, "remote %d", skynet_send(ctx, 0, 0x09000001, PTYPE_TEXT, 1, "x", 1) < 0);
	FACT(ctx, "remote name %d", skynet_sendname(ctx, 0, "global", PTYPE_TEXT, 1, "x", 1) < 0);
	FACT(ctx, "remote system %d", skynet_send(ctx, 0, 0x09000001, PTYPE_SYSTEM, 1, "x", 1) < 0);
	/* A missing parameter is an empty one. */
	static const char *const words[] = {"TIMEOUT", "LAUNCH", "KILL", "QUERY", "NAME", "GETENV", "SETENV", "STAT", "LOGON", "LOGOFF", "SIGNAL"};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		FACT(ctx, "%s <%s>", words[i], text(skynet_command(ctx, words[i], NULL)));
	DONE(ctx);
	return 0;
}

int messages_init(void *inst, struct skynet_context *ctx, const char *parm)
{
	static const struct role roles[] = {
		{"shapes", shapes}, {"terminated", terminated}, {"sessions", sessions}, {"genid", genid},
		{"failures", failures}, {"consumed", consumed}, {"without_callback", without_callback},
		{"silent", silent_init}, {"keep", keep}, {"fan_in", fan_in}, {"sender", sender}, {"flood", flood},
		{"who", who}, {"misuse", misuse}, {"busy", busy}, {"crowd", crowd}, {NULL, NULL},
	};
	UNUSED(inst);
	return play(roles, ctx, parm);
}
