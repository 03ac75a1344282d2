/* Latency of idle services.
 *
 *   run kind=wakeup [rounds=200]: the time from a send to the receiver's callback, while the sender goes on working
 *       for 5 ms in the same callback.
 *   run kind=burst [rounds=100] [targets=7] [work=1000]: the time from the first of 7 sends until the last of the
 *       targets, each of which works `work` microseconds, is done. */
#include "bench.h"

static struct {
	int rounds, round, targets, burst;
	uint64_t work_ns, began;
	uint32_t target[64];
	int64_t *sample;
	_Atomic int left, done;
} lat;

static void again(struct skynet_context *ctx) { skynet_command(ctx, "TIMEOUT", "2"); }

static int driver(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
	if (lat.round == lat.rounds)
		return 0;
	/* A random shift, so that no round is in step with a timer's tick. */
	bench_spin((uint64_t)(random() % 3000) * 1000);
	if (lat.burst) {
		atomic_store(&lat.left, lat.targets);
		lat.began = bench_now();
		for (int i = 0; i < lat.targets; i++)
			skynet_send(ctx, 0, lat.target[i], PTYPE_TEXT, 0, &lat.round, sizeof lat.round);
	} else {
		uint64_t stamp = bench_now();
		skynet_send(ctx, 0, lat.target[0], PTYPE_TEXT, 0, &stamp, sizeof stamp);
		bench_spin(5000000);
	}
	lat.round++;
	again(ctx);
	return 0;
}

static void finish(const char *name) {
	bench_report_ns(name, lat.sample, (size_t)lat.rounds);
	bench_done();
}

static int woken(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ctx, (void)ud, (void)type, (void)session, (void)source, (void)sz;
	uint64_t stamp;
	memcpy(&stamp, msg, sizeof stamp);
	int n = atomic_load(&lat.done);
	lat.sample[n] = (int64_t)(bench_now() - stamp);
	atomic_store(&lat.done, n + 1);
	if (n + 1 == lat.rounds)
		finish("wakeup");
	return 0;
}

static int worked(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ctx, (void)ud, (void)type, (void)session, (void)source, (void)sz;
	int round;
	memcpy(&round, msg, sizeof round);
	bench_spin(lat.work_ns);
	if (atomic_fetch_sub(&lat.left, 1) == 1) {
		lat.sample[round] = (int64_t)(bench_now() - lat.began);
		if (round + 1 == lat.rounds)
			finish("burst");
	}
	return 0;
}

int benchlat_init(void *self, struct skynet_context *ctx, const char *args) {
	(void)self;
	if (strncmp(args, "target", 6) == 0) {
		skynet_callback(ctx, NULL, lat.burst ? worked : woken);
		return 0;
	}
	lat.burst = bench_is(args, "burst");
	lat.rounds = (int)bench_span(args, "rounds", lat.burst ? 100 : 200);
	lat.targets = (int)bench_arg(args, "targets", lat.burst ? 7 : 1);
	lat.work_ns = (uint64_t)bench_arg(args, "work", 1000) * 1000;
	lat.sample = calloc((size_t)lat.rounds, sizeof *lat.sample);
	for (int i = 0; i < lat.targets; i++)
		lat.target[i] = bench_launch(ctx, "benchlat target");
	skynet_callback(ctx, NULL, driver);
	skynet_command(ctx, "TIMEOUT", "10");
	return 0;
}
