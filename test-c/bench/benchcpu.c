/* Accuracy of the CPU time that STAT reports, against the thread clock read by the services themselves.
 *
 *   run [services=2] [work=100] [sleep=0] [ms=1000]: every service works `work` microseconds a message (and sleeps
 *       `sleep` microseconds in the callback, which must not count), for `ms`; reports the worst error of all in
 *       percent. */
#include "bench.h"

static struct {
	int services;
	uint64_t ms;
	long work, sleep;
	_Atomic int left;
	_Atomic int64_t worst_ppm;
} plan;

struct busy {
	uint64_t began, own_ns, turns;
};

static uint64_t thread_ns(void) { return bench_clock(CLOCK_THREAD_CPUTIME_ID); }

static void settle(struct skynet_context *ctx, const struct busy *b) {
	double reported = strtod(skynet_command(ctx, "STAT", "cpu"), NULL), own = (double)b->own_ns / 1e9;
	int64_t ppm = (int64_t)((reported / own - 1) * 1e6), worst = atomic_load(&plan.worst_ppm);
	while (llabs(ppm) > llabs(worst) && !atomic_compare_exchange_weak(&plan.worst_ppm, &worst, ppm)) {
	}
	if (atomic_fetch_sub(&plan.left, 1) == 1) {
		ppm = atomic_load(&plan.worst_ppm);
		bench_report("error_percent", (double)llabs(ppm) / 1e4);
		bench_report("signed_error_percent", (double)ppm / 1e4);
		bench_done();
	}
}

static int turn(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)type, (void)session, (void)source, (void)msg, (void)sz;
	uint64_t c0 = thread_ns();
	struct busy *b = ud;
	if (b->began == 0) {
		/* The clock of the run starts with the first callback. */
		b->began = bench_now();
	} else if (bench_now() - b->began > plan.ms * 1000000) {
		/* This callback is in neither sum. */
		settle(ctx, b);
		return 0;
	}
	bench_spin((uint64_t)plan.work * 1000);
	if (plan.sleep) {
		struct timespec t = { 0, plan.sleep * 1000 };
		nanosleep(&t, NULL);
	}
	skynet_send(ctx, 0, skynet_current_handle(), PTYPE_TEXT, 0, NULL, 0);
	b->own_ns += thread_ns() - c0;
	return 0;
}

void *benchcpu_create(void) { return calloc(1, sizeof(struct busy)); }

int benchcpu_init(struct busy *b, struct skynet_context *ctx, const char *args) {
	if (strncmp(args, "busy", 4) == 0) {
		skynet_callback(ctx, b, turn);
		skynet_command(ctx, "TIMEOUT", "5");
		return 0;
	}
	plan.services = (int)bench_arg(args, "services", 2);
	plan.work = bench_arg(args, "work", 100);
	plan.sleep = bench_arg(args, "sleep", 0);
	plan.ms = (uint64_t)bench_span(args, "ms", 1000);
	atomic_store(&plan.left, plan.services);
	for (int i = 0; i < plan.services; i++)
		bench_launch(ctx, "benchcpu busy");
	return 0;
}
