/* Timers that fire.
 *
 *   run kind=fire [timers=100000] [rounds=8]: one service sets so many that expire in the same tick, and again when all
 *       have. fire_ns: from the first callback to the last, for each; cpu_ns: of the process, for setting and firing one.
 *   run kind=churn [services=100] [timers=1000] [warm=200] [ms=600]: so many services keep so many timers each, of 10 ms
 *       to 1 s. One that fires is set anew.
 *   run kind=accuracy [rounds=60]: one service on an idle node sets one timer of 10 to 50 ms after another. late: how much
 *       later than asked for each comes (before the first tick counts the rest of the current one, so up to 10 ms
 *       early); tick: how long after the multiple of 10 ms of the monotonic clock that is due. */
#include "bench.h"

#define TICK 10000000 /* ns */

static struct {
	long timers, rounds, round, fired, ticks;
	uint64_t began, cpu;
	int64_t *sample, *after;
	_Atomic uint64_t *counter;
	int services;
} tick;

static void set(struct skynet_context *ctx, long ticks) {
	char text[12];
	snprintf(text, sizeof text, "%ld", ticks);
	skynet_command(ctx, "TIMEOUT", text);
}

static void set_all(struct skynet_context *ctx) {
	for (long i = 0; i < tick.timers; i++)
		skynet_command(ctx, "TIMEOUT", "10");
}

static int fire(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
	if (tick.cpu == 0) {
		tick.cpu = bench_clock(CLOCK_PROCESS_CPUTIME_ID);
		set_all(ctx);
		return 0;
	}
	if (tick.fired++ == 0)
		tick.began = bench_now();
	if (tick.fired < tick.timers)
		return 0;
	tick.sample[tick.round++] = (int64_t)(bench_now() - tick.began);
	tick.fired = 0;
	if (tick.round < tick.rounds) {
		set_all(ctx);
		return 0;
	}
	uint64_t cpu = bench_clock(CLOCK_PROCESS_CPUTIME_ID) - tick.cpu;
	qsort(tick.sample, (size_t)tick.rounds, sizeof *tick.sample, bench_compare);
	bench_report("fire_ns", (double)tick.sample[tick.rounds / 2] / (double)tick.timers);
	bench_report("cpu_ns", (double)cpu / (double)(tick.timers * tick.rounds));
	bench_done();
	return 0;
}

/* The numbers come from a generator of the service's own: random() has a lock. */
static int renew(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)type, (void)session, (void)source, (void)msg, (void)sz;
	static _Thread_local unsigned seed;
	bench_count(ud);
	set(ctx, 1 + rand_r(&seed) % 100);
	return 0;
}

static int late(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
	if (tick.ticks > 0) {
		int64_t now = (int64_t)bench_now(), set = (int64_t)tick.began;
		tick.sample[tick.round] = now - set - tick.ticks * TICK;
		tick.after[tick.round++] = now - (set / TICK + tick.ticks) * TICK;
	}
	if (tick.round == tick.rounds) {
		bench_report_ns("tick", tick.after, (size_t)tick.rounds);
		bench_report_ns("late", tick.sample, (size_t)tick.rounds);
		bench_done();
	}
	/* A random shift, so that no round is in step with the wheel. */
	bench_spin((uint64_t)(random() % 10000) * 1000);
	tick.ticks = 1 + random() % 5;
	tick.began = bench_now();
	set(ctx, tick.ticks);
	return 0;
}

static uint64_t fired(void) {
	uint64_t sum = 0;
	for (int i = 0; i < tick.services; i++)
		sum += atomic_load_explicit(&tick.counter[i * 16], memory_order_relaxed);
	return sum;
}

int benchtick_init(void *self, struct skynet_context *ctx, const char *args) {
	(void)self;
	if (strncmp(args, "renew", 5) == 0) {
		skynet_callback(ctx, &tick.counter[bench_arg(args, "index", 0) * 16], renew);
		for (long i = 0; i < tick.timers; i++)
			set(ctx, 1 + random() % 100);
		return 0;
	}
	if (bench_is(args, "churn")) {
		tick.services = (int)bench_arg(args, "services", 100);
		tick.timers = bench_arg(args, "timers", 1000);
		tick.counter = calloc((size_t)tick.services * 16, sizeof *tick.counter);
		for (int i = 0; i < tick.services; i++) {
			char what[48];
			snprintf(what, sizeof what, "benchtick renew index=%d", i);
			bench_launch(ctx, what);
		}
		static struct bench_meter meter = { .count = fired };
		bench_measure(&meter, args);
		return 0;
	}
	int accuracy = bench_is(args, "accuracy");
	tick.timers = bench_arg(args, "timers", 100000);
	tick.rounds = bench_span(args, "rounds", accuracy ? 60 : 8);
	tick.sample = calloc((size_t)tick.rounds, sizeof *tick.sample);
	tick.after = calloc((size_t)tick.rounds, sizeof *tick.after);
	skynet_callback(ctx, NULL, accuracy ? late : fire);
	skynet_command(ctx, "TIMEOUT", "10");
	return 0;
}
