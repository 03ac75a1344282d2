/* Birth and death of services. */
#include "probe.h"
#include <stdatomic.h>
#include <unistd.h>

static int held_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(source);
	FACT(ctx, "got %d <%.*s>", session, (int)sz, (const char *)msg);
	if (session == 3)
		DONE(ctx);
	return 0;
}

/* Its own message is the first; others that arrive while it starts come after, none is lost. */
static int held(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, 1, "own", 3);
	char line[32];
	snprintf(line, sizeof line, "life writes %x", self(ctx));
	skynet_command(ctx, "LAUNCH", line);
	FACT(ctx, "still in init");
	skynet_callback(ctx, NULL, held_cb);
	return 0;
}

static int writes(struct skynet_context *ctx, const char *args)
{
	uint32_t to = (uint32_t)strtoul(args, NULL, 16);
	skynet_send(ctx, 0, to, PTYPE_TEXT, 2, "second", 6);
	skynet_send(ctx, 0, to, PTYPE_TEXT, 3, "third", 5);
	return 0;
}

/* Reports every message; ends when it has had as many as its argument says. */
static int count_down;

static int report_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud);
	FACT(ctx, "type %d session %d source %x %s %zu", type, session, source, msg ? "data" : "null", sz);
	if (--count_down == 0)
		DONE(ctx);
	return 0;
}

static int failed_start(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	count_down = 2;
	skynet_callback(ctx, NULL, report_cb);
	FACT(ctx, "launch %s", text(skynet_command(ctx, "LAUNCH", "life fails 2")));
	FACT(ctx, "name %s", text(skynet_command(ctx, "QUERY", ".failing")));
	FACT(ctx, "send %d", skynet_send(ctx, 0, 3, PTYPE_TEXT, 0, NULL, 0));
	return 0;
}

static int fails(struct skynet_context *ctx, const char *args)
{
	uint32_t parent = (uint32_t)strtoul(args, NULL, 16);
	skynet_command(ctx, "REG", ".failing");
	skynet_send(ctx, parent, self(ctx), PTYPE_TEXT, 41, "mail", 4);
	skynet_send(ctx, parent, self(ctx), PTYPE_RESPONSE, 42, NULL, 0);
	return 7;
}

static int exits(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_command(ctx, "EXIT", NULL);
	return 0;
}

static int leaves_in_init(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	FACT(ctx, "launch %s", text(skynet_command(ctx, "LAUNCH", "life exits")));
	FACT(ctx, "send %d", skynet_send(ctx, 0, 3, PTYPE_TEXT, 0, NULL, 0));
	DONE(ctx);
	return 0;
}

static int quiet_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ctx), UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	return 0;
}

static int quiet(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, quiet_cb);
	return 0;
}

/* One worker: the victim cannot run before this callback is over, so its mail is still queued when it dies. */
static int killer_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	if (type == PTYPE_TEXT && session == 0) {
		uint32_t victim = handle_of(skynet_command(ctx, "LAUNCH", "life quiet"));
		char name[32];
		snprintf(name, sizeof name, ".victim :%x", victim);
		skynet_command(ctx, "NAME", name);
		snprintf(name, sizeof name, ":%x", self(ctx));
		skynet_command(ctx, "MONITOR", name);
		skynet_send(ctx, 0, victim, PTYPE_TEXT, 11, "queued", 6);
		skynet_send(ctx, 0, victim, PTYPE_RESPONSE, 12, NULL, 0);
		skynet_send(ctx, 0, victim, PTYPE_ERROR, 13, NULL, 0);
		skynet_command(ctx, "KILL", ".victim");
		FACT(ctx, "name %s", text(skynet_command(ctx, "QUERY", ".victim")));
		FACT(ctx, "send %d", skynet_send(ctx, 0, victim, PTYPE_TEXT, 14, NULL, 0));
		return 0;
	}
	return report_cb(ctx, ud, type, session, source, msg, sz);
}

static int killer(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	count_down = 4;
	begin(ctx, killer_cb, NULL);
	return 0;
}

/* Leaves in the middle of its queue: each message is either received, or bounced, or refused when the service was gone
   before it was sent; one of the three, once. */
#define QUEUED 200
static int received, bounced, refused;

static int goes_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(source), UNUSED(msg), UNUSED(sz);
	__atomic_add_fetch(&received, 1, __ATOMIC_SEQ_CST);
	if (session == 50)
		skynet_command(ctx, "EXIT", NULL);
	skynet_send(ctx, 0, 2, PTYPE_CLIENT, session, NULL, 0);
	return 0;
}

static int goes(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, goes_cb);
	return 0;
}

static int leaver_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(source), UNUSED(msg), UNUSED(sz);
	static char seen[QUEUED + 1];
	static int wrong;
	if (type == PTYPE_TEXT) {
		uint32_t other = handle_of(skynet_command(ctx, "LAUNCH", "life goes"));
		for (int i = 1; i <= QUEUED; i++) {
			if (skynet_send(ctx, 0, other, PTYPE_TEXT, i, "mail", 4) == -1) {
				seen[i] = 1;
				wrong += i <= 50;
				refused++;
			}
		}
		return 0;
	}
	wrong += seen[session]++ != 0 || (type == PTYPE_ERROR && session <= 50);
	bounced += type == PTYPE_ERROR;
	int all = 1;
	for (int i = 1; i <= QUEUED; i++)
		all &= seen[i];
	if (all) {
		FACT(ctx, "sum %d wrong %d", received + bounced + refused, wrong);
		DONE(ctx);
	}
	return 0;
}

static int leaver(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	begin(ctx, leaver_cb, NULL);
	return 0;
}

static int handles(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	uint32_t last = self(ctx);
	FACT(ctx, "first %x", last);
	int smaller = 0;
	for (int i = 0; i < 1000; i++) {
		uint32_t next = handle_of(skynet_command(ctx, "LAUNCH", "life quiet"));
		smaller += next <= last;
		last = next;
		if (i % 3 != 0)
			order(ctx, "KILL", next, "");
	}
	FACT(ctx, "not increasing %d", smaller);
	FACT(ctx, "harbor of the last %x", last >> 24);
	DONE(ctx);
	return 0;
}

static int abort_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	for (int i = 0; i < 10; i++)
		skynet_command(ctx, "LAUNCH", "life quiet");
	skynet_command(ctx, "ABORT", NULL);
	return 0;
}

static int aborts(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	begin(ctx, abort_cb, NULL);
	return 0;
}

/* A service that is in a callback when another one aborts the node. */
static atomic_int speaking, aborted;

static int speaker_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	speaking = 1;
	while (!aborted)
		usleep(1000);
	FACT(ctx, "last words");
	return 0;
}

static int speaker(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	begin(ctx, speaker_cb, NULL);
	return 0;
}

static int interrupt_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	skynet_command(ctx, "LAUNCH", "life speaker");
	while (!speaking)
		usleep(1000);
	skynet_command(ctx, "ABORT", NULL);
	aborted = 1;
	return 0;
}

static int interrupts(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	begin(ctx, interrupt_cb, NULL);
	return 0;
}

static int release_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	uint32_t other = handle_of(skynet_command(ctx, "LAUNCH", "life quiet"));
	order(ctx, "KILL", other, "");
	return 0;
}

static int released(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	begin(ctx, release_cb, NULL);
	return 0;
}

/* The callback of a service changes in the middle of its queue. */
static int second_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(type), UNUSED(source), UNUSED(msg), UNUSED(sz);
	FACT(ctx, "second %d %s", session, (const char *)ud);
	if (session == 3)
		DONE(ctx);
	return 0;
}

static int first_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(type), UNUSED(source), UNUSED(msg), UNUSED(sz);
	FACT(ctx, "first %d %s", session, (const char *)ud);
	skynet_callback(ctx, "new", second_cb);
	return 0;
}

static int swaps(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, "old", first_cb);
	for (int i = 1; i <= 3; i++)
		skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, i, NULL, 0);
	return 0;
}

/* Keeps one worker in a message for longer than the monitor's period. */
static int endless_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(source), UNUSED(msg), UNUSED(sz), UNUSED(session);
	if (type == PTYPE_RESPONSE) {
		const char *answer = skynet_command(ctx, "STAT", "endless");
		if (strcmp(answer, "1") == 0) {
			FACT(ctx, "endless %s", answer);
			FACT(ctx, "endless %s", skynet_command(ctx, "STAT", "endless"));
			DONE(ctx);
			return 0;
		}
	}
	sleep(11);
	skynet_command(ctx, "TIMEOUT", "1");
	return 0;
}

static int endless(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	begin(ctx, endless_cb, NULL);
	return 0;
}

/* Services that are born, written to and killed from several workers at once; in the end the node goes as a whole. */
#define CHURNERS 4
#define ROUNDS 500

static int churner_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	static __thread uint32_t last;
	UNUSED(ud), UNUSED(source), UNUSED(msg), UNUSED(sz);
	if (type == PTYPE_ERROR)
		return 0;
	/* `last` is another churner's child as often as our own, and dead as often as alive. */
	uint32_t child = handle_of(skynet_command(ctx, "LAUNCH", "life quiet"));
	skynet_send(ctx, 0, child, PTYPE_TEXT, 1, "mail", 4);
	skynet_send(ctx, 0, last, PTYPE_TEXT, 1, "mail", 4);
	order(ctx, "SIGNAL", last, " 1");
	order(ctx, "KILL", child, "");
	last = child;
	if (session == ROUNDS)
		skynet_send(ctx, 0, 2, PTYPE_CLIENT, 0, NULL, 0);
	else
		skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, session + 1, NULL, 0);
	return 0;
}

static int churner(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, churner_cb);
	skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, 1, NULL, 0);
	return 0;
}

static int churn_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	if (type == PTYPE_CLIENT && --count_down == 0)
		skynet_command(ctx, "ABORT", NULL);
	return 0;
}

static int churn(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, churn_cb);
	count_down = CHURNERS;
	for (int i = 0; i < CHURNERS; i++)
		skynet_command(ctx, "LAUNCH", "life churner");
	return 0;
}

void *life_create(void)
{
	return malloc(1);
}

int life_init(void *inst, struct skynet_context *ctx, const char *parm)
{
	static const struct role roles[] = {
		{"held", held}, {"writes", writes}, {"failed_start", failed_start}, {"fails", fails}, {"exits", exits},
		{"leaves_in_init", leaves_in_init}, {"quiet", quiet}, {"killer", killer}, {"goes", goes},
		{"leaver", leaver}, {"handles", handles}, {"aborts", aborts}, {"released", released},
		{"speaker", speaker}, {"interrupts", interrupts},
		{"swaps", swaps}, {"endless", endless}, {"churn", churn}, {"churner", churner}, {NULL, NULL},
	};
	UNUSED(inst);
	return play(roles, ctx, parm);
}

void life_release(void *inst)
{
	free(inst);
	/* Standard error: the log may be gone by now. */
	fprintf(stderr, "released\n");
}
