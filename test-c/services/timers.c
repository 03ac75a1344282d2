/* TIMEOUT and skynet_now. */
#include "probe.h"
#include <time.h>

static int wanted;

static int shape_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud);
	FACT(ctx, "type %d session %d source %x %s %zu", type, session, source, msg ? "data" : "null", sz);
	if (session == wanted)
		DONE(ctx);
	return 0;
}

/* Mail that is queued goes first; a wait of nothing, or less, needs no tick. */
static int at_once(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, shape_cb);
	skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, 100, NULL, 0);
	skynet_command(ctx, "TIMEOUT", "0");
	skynet_command(ctx, "TIMEOUT", "-5");
	skynet_command(ctx, "TIMEOUT", "word");
	skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, 101, NULL, 0);
	wanted = 101;
	return 0;
}

static int one(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, shape_cb);
	skynet_command(ctx, "TIMEOUT", "2");
	wanted = 1;
	return 0;
}

/* Timers over every level of a wheel's lower part, in no order of time: each fires in its order, none early. */
#define MANY 2000
static struct { uint64_t due; int fired; } timers[MANY + 1];
static uint64_t last_due;
static int last_session, early, misordered, fired, twice;

static int many_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(source), UNUSED(msg), UNUSED(sz);
	if (type != PTYPE_RESPONSE) {
		unsigned seed = 12345;
		uint64_t now = skynet_now();
		for (int i = 1; i <= MANY; i++) {
			seed = seed * 1103515245 + 12345;
			int ticks = 1 + (seed >> 16) % 300;
			char word[16];
			snprintf(word, sizeof word, "%d", ticks);
			timers[i].due = now + ticks;
			skynet_command(ctx, "TIMEOUT", word);
		}
		/* A tick in the middle of the loop would shift the later ones. */
		if (skynet_now() != now)
			for (int i = 1; i <= MANY; i++)
				timers[i].due = 0;
		return 0;
	}
	uint64_t due = timers[session].due;
	early += skynet_now() < due;
	misordered += due != 0 && (due < last_due || (due == last_due && session < last_session));
	twice += timers[session].fired++;
	last_due = due;
	last_session = session;
	if (++fired == MANY) {
		FACT(ctx, "early %d misordered %d twice %d", early, misordered, twice);
		DONE(ctx);
	}
	return 0;
}

static int many(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	begin(ctx, many_cb, NULL);
	return 0;
}

static int same_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(source), UNUSED(msg), UNUSED(sz);
	misordered += session != ++last_session;
	if (session == MANY) {
		FACT(ctx, "misordered %d", misordered);
		DONE(ctx);
	}
	return 0;
}

static int same(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, same_cb);
	for (int i = 0; i < MANY; i++)
		skynet_command(ctx, "TIMEOUT", "20");
	return 0;
}

static int clock_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(type), UNUSED(source), UNUSED(msg), UNUSED(sz), UNUSED(ud);
	static uint64_t from;
	if (session == 1) {
		from = skynet_now();
		skynet_command(ctx, "TIMEOUT", "100");
	} else {
		uint64_t took = skynet_now() - from;
		FACT(ctx, "a second has a hundred ticks %d", took >= 100 && took < 1000);
		DONE(ctx);
	}
	return 0;
}

static int ticks(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, clock_cb);
	skynet_command(ctx, "TIMEOUT", "1");
	return 0;
}

static int dead(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	uint32_t other = handle_of(skynet_command(ctx, "LAUNCH", "timers one"));
	order(ctx, "KILL", other, "");
	skynet_callback(ctx, NULL, shape_cb);
	skynet_command(ctx, "TIMEOUT", "10");
	wanted = 1;
	return 0;
}

/* A service whose mail never ends, 100 us of work each, and how much of it is done while another waits for its timers. */
#define TIMERS 30
static volatile int hog_messages;

static int hog_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	struct timespec start, now;
	clock_gettime(CLOCK_MONOTONIC, &start);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - start.tv_sec) * 1000000000L + now.tv_nsec - start.tv_nsec < 100000);
	hog_messages++;
	skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, 0, NULL, 0);
	return 0;
}

static int hog(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, hog_cb);
	skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, 0, NULL, 0);
	skynet_send(ctx, 0, self(ctx), PTYPE_TEXT, 0, NULL, 0);
	return 0;
}

static int beside_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	static int before, fired;
	UNUSED(ud), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	if (type == PTYPE_TEXT) {
		skynet_command(ctx, "LAUNCH", "timers hog");
		before = hog_messages;
	} else if (++fired == TIMERS) {
		/* 100 to 200 messages fit into the time of a timer. */
		FACT(ctx, "starved %d", hog_messages - before > TIMERS * 700);
		DONE(ctx);
		return 0;
	}
	skynet_command(ctx, "TIMEOUT", "1");
	return 0;
}

static int beside(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	begin(ctx, beside_cb, NULL);
	return 0;
}

int timers_init(void *inst, struct skynet_context *ctx, const char *parm)
{
	static const struct role roles[] = {
		{"at_once", at_once}, {"one", one}, {"many", many}, {"same", same}, {"ticks", ticks}, {"dead", dead},
		{"hog", hog}, {"beside", beside}, {NULL, NULL},
	};
	UNUSED(inst);
	return play(roles, ctx, parm);
}
