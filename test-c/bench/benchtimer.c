/* A million pending timers beside a periodic one.
 *
 *   run [timers=1000000] [first=300] [span=512]: one service sets `timers` timers that expire evenly over `span`
 *       hundredths of a second, `first` from now at the earliest, while another renews a 10 ms timer and notes its
 *       longest gap in three phases: adding, all pending, expiring. */
#include "bench.h"

enum phase { BEFORE, ADDING, PENDING, EXPIRING, PHASES };

static struct {
	long timers, first, span, fired;
	uint64_t added_at;
	_Atomic int phase;
	uint64_t last, gap[PHASES];
} tm_;

static int ticker(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
	uint64_t now = bench_now();
	int phase = atomic_load(&tm_.phase);
	if (tm_.last != 0 && now - tm_.last > tm_.gap[phase])
		tm_.gap[phase] = now - tm_.last;
	tm_.last = now;
	skynet_command(ctx, "TIMEOUT", "1");
	return 0;
}

static void add_all(struct skynet_context *ctx) {
	/* The texts are made before the clock starts: formatting is the caller's cost, not the core's. */
	char (*text)[12] = malloc((size_t)tm_.span * sizeof *text);
	for (long i = 0; i < tm_.span; i++)
		snprintf(text[i], sizeof text[i], "%ld", tm_.first + i);
	double rss = bench_rss();
	atomic_store(&tm_.phase, ADDING);
	uint64_t t0 = bench_now(), c0 = bench_clock(CLOCK_THREAD_CPUTIME_ID);
	for (long i = 0; i < tm_.timers; i++)
		skynet_command(ctx, "TIMEOUT", text[i % tm_.span]);
	uint64_t t1 = bench_now(), c1 = bench_clock(CLOCK_THREAD_CPUTIME_ID);
	atomic_store(&tm_.phase, PENDING);
	tm_.added_at = t1;
	bench_report("add_ns", (double)(t1 - t0) / (double)tm_.timers);
	bench_report("add_cpu_ns", (double)(c1 - c0) / (double)tm_.timers);
	bench_report("bytes", (bench_rss() - rss) / (double)tm_.timers);
	free(text);
}

static int stall_us(enum phase phase) {
	/* The periodic timer is due after 10 ms; up to one more tick passes because it is renewed in between. */
	int64_t us = (int64_t)(tm_.gap[phase] / 1000) - 10000;
	return us < 0 ? 0 : (int)us;
}

static int setter(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
	if (atomic_load(&tm_.phase) == BEFORE) {
		add_all(ctx);
		return 0;
	}
	if (tm_.fired++ == 0) {
		bench_report("pending_ms", (double)(bench_now() - tm_.added_at) / 1e6);
		atomic_store(&tm_.phase, EXPIRING);
	}
	if (tm_.fired == tm_.timers) {
		bench_report("stall_adding_us", stall_us(ADDING));
		bench_report("stall_pending_us", stall_us(PENDING));
		bench_report("stall_expiring_us", stall_us(EXPIRING));
		bench_report("expire_ms", (double)(bench_now() - tm_.added_at) / 1e6);
		bench_done();
	}
	return 0;
}

int benchtimer_init(void *self, struct skynet_context *ctx, const char *args) {
	(void)self;
	if (strncmp(args, "ticker", 6) == 0) {
		skynet_callback(ctx, NULL, ticker);
		skynet_command(ctx, "TIMEOUT", "1");
		return 0;
	}
	tm_.timers = bench_arg(args, "timers", 1000000);
	tm_.first = bench_span(args, "first", 300);
	tm_.span = bench_span(args, "span", 512);
	bench_launch(ctx, "benchtimer ticker");
	skynet_callback(ctx, NULL, setter);
	skynet_command(ctx, "TIMEOUT", "30");
	return 0;
}
