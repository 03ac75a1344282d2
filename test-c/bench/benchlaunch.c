/* Launch, kill and keep C services.
 *
 *   run kind=rate [ms=600]: one service launches another and kills it, over and over.
 *   run kind=memory [count=50000]: resident memory of an idle service that owns nothing.
 *   run kind=idle: a node that has nothing to do; prints "BENCH ready 1" and stays.
 *   run kind=startup: ends with the first message; reports the CPU time of the process so far. */
#include "bench.h"

#define CHUNK 32 /* launches in one turn; the rest of the node gets its turns in between */

static struct {
	long count;
	_Atomic uint64_t cycles;
} plan;

static int leaf(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ctx, (void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
	return 0;
}

static uint64_t cycles(void) { return atomic_load(&plan.cycles); }

static int cycle(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
	for (int i = 0; i < CHUNK; i++) {
		const char *text = skynet_command(ctx, "LAUNCH", "benchlaunch leaf");
		if (text == NULL)
			bench_fail("LAUNCH failed");
		char handle[16];
		snprintf(handle, sizeof handle, "%s", text);
		skynet_command(ctx, "KILL", handle);
	}
	atomic_fetch_add_explicit(&plan.cycles, CHUNK, memory_order_relaxed);
	skynet_send(ctx, 0, skynet_current_handle(), PTYPE_TEXT, 0, NULL, 0);
	return 0;
}

static int fill(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
	static double before;
	if (before == 0) {
		before = bench_rss();
		for (long i = 0; i < plan.count; i++)
			bench_launch(ctx, "benchlaunch leaf");
		/* Let the log service free the notices of the launches before the second look. */
		skynet_command(ctx, "TIMEOUT", "50");
		return 0;
	}
	bench_report("bytes", (bench_rss() - before) / (double)plan.count);
	bench_done();
	return 0;
}

static int first(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ctx, (void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
	bench_report("cpu_us", (double)bench_clock(CLOCK_PROCESS_CPUTIME_ID) / 1e3);
	bench_done();
	return 0;
}

int benchlaunch_init(void *self, struct skynet_context *ctx, const char *args) {
	(void)self;
	if (strncmp(args, "leaf", 4) == 0) {
		skynet_callback(ctx, NULL, leaf);
		return 0;
	}
	plan.count = bench_span(args, "count", 50000);
	if (bench_is(args, "idle")) {
		skynet_callback(ctx, NULL, leaf);
		bench_report("ready", 1);
	} else if (bench_is(args, "startup")) {
		skynet_callback(ctx, NULL, first);
		skynet_command(ctx, "TIMEOUT", "0");
	} else if (bench_is(args, "memory")) {
		skynet_callback(ctx, NULL, fill);
		skynet_command(ctx, "TIMEOUT", "30");
	} else {
		skynet_callback(ctx, NULL, cycle);
		skynet_command(ctx, "TIMEOUT", "0");
		static struct bench_meter meter = { .count = cycles };
		bench_measure(&meter, args);
	}
	return 0;
}
