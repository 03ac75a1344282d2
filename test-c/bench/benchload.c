/* Messages of services while the node has other work.
 *
 *   run kind=half [threads=2] [services=16] [work=100] [ms=1500]: a thread that is no worker sends to the services in
 *       turn, at random distances, so often that working `work` microseconds on each message takes half the time of
 *       `threads` processors. Reports the time from a send to the callback.
 *   run kind=fair [lights=100] [hogs=1] [tokens=1000] [work=10] [warm=200] [ms=600]: every 50 ms each of `lights` sends a
 *       message to the next, while each of `hogs` always has `tokens` messages in its mailbox and works `work`
 *       microseconds on each. Reports the same, and how many messages of either sort come through. */
#include "bench.h"

#include <math.h>
#include <sys/prctl.h>

#define MAX_SERVICES 1024
#define MAX_SAMPLES (1 << 20)
#define PERIOD "5"

static struct {
	int services;
	uint64_t work_ns, end;
	double distance_ns;
	struct skynet_context *ctx;
	uint32_t handle[MAX_SERVICES];
	_Atomic uint64_t light, light_before, hog, hog_before;
	int64_t sample[MAX_SAMPLES];
} load;

static void sample(const void *msg) {
	uint64_t stamp, now = bench_now();
	memcpy(&stamp, msg, sizeof stamp);
	uint64_t n = atomic_fetch_add(&load.light, 1);
	if (n < MAX_SAMPLES)
		load.sample[n] = (int64_t)(now - stamp);
}

static void send_stamp(struct skynet_context *ctx, uint32_t to) {
	uint64_t stamp = bench_now();
	skynet_send(ctx, 0, to, PTYPE_TEXT, 0, &stamp, sizeof stamp);
}

/* Samples of the warm-up are left out. */
static void report(const char *name) {
	uint64_t n = load.light < MAX_SAMPLES ? load.light : MAX_SAMPLES;
	bench_report_ns(name, load.sample + load.light_before, n - load.light_before);
}

static int work(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ctx, (void)ud, (void)type, (void)session, (void)source, (void)sz;
	sample(msg);
	bench_spin(load.work_ns);
	return 0;
}

/* Times of arrival are fixed in advance, as if by clients that do not know how busy the node is. */
static void *arrivals(void *unused) {
	(void)unused;
	prctl(PR_SET_TIMERSLACK, 1);
	bench_sleep_ms(100); /* the workers run by then */
	uint64_t due = bench_now(), i;
	for (i = 0; due < load.end; i++) {
		due += (uint64_t)(-log(1 - drand48()) * load.distance_ns);
		struct timespec until = { (time_t)(due / 1000000000), (long)(due % 1000000000) };
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		send_stamp(load.ctx, load.handle[i % (uint64_t)load.services]);
	}
	while (atomic_load(&load.light) < i)
		bench_sleep_ms(1);
	report("half");
	bench_done();
	return NULL;
}

static int light(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)session, (void)source, (void)sz;
	int index = (int)(intptr_t)ud;
	if (type == PTYPE_RESPONSE) {
		skynet_command(ctx, "TIMEOUT", PERIOD);
		send_stamp(ctx, load.handle[(index + 1) % load.services]);
	} else {
		sample(msg);
	}
	return 0;
}

static int hog(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
	bench_spin(load.work_ns);
	atomic_fetch_add_explicit(&load.hog, 1, memory_order_relaxed);
	skynet_send(ctx, 0, skynet_current_handle(), PTYPE_TEXT, 0, NULL, 0);
	return 0;
}

static uint64_t lights(void) { return atomic_load(&load.light); }

static void begin(void) {
	load.light_before = load.light;
	load.hog_before = load.hog;
}

static void end(double seconds) {
	bench_report("light_rate", (double)(load.light - load.light_before) / seconds);
	bench_report("hog_rate", (double)(load.hog - load.hog_before) / seconds);
	report("light");
}

static void launch(struct skynet_context *ctx, const char *role, int n) {
	load.services = n;
	for (int i = 0; i < n; i++) {
		char what[48];
		snprintf(what, sizeof what, "benchload %s index=%d", role, i);
		load.handle[i] = bench_launch(ctx, what);
	}
}

static void run(struct skynet_context *ctx, const char *args) {
	if (bench_is(args, "half")) {
		load.work_ns = (uint64_t)bench_arg(args, "work", 100) * 1000;
		load.distance_ns = (double)load.work_ns * 2 / (double)bench_arg(args, "threads", 2);
		load.end = bench_now() + (uint64_t)bench_span(args, "ms", 1500) * 1000000;
		load.ctx = ctx;
		launch(ctx, "worker", (int)bench_arg(args, "services", 16));
		pthread_t thread;
		if (pthread_create(&thread, NULL, arrivals, NULL) != 0)
			bench_fail("pthread_create");
	} else {
		load.work_ns = (uint64_t)bench_arg(args, "work", 10) * 1000;
		launch(ctx, "light", (int)bench_arg(args, "lights", 100));
		for (long hogs = bench_arg(args, "hogs", 1); hogs > 0; hogs--) {
			uint32_t target = bench_launch(ctx, "benchload hog");
			for (long i = bench_arg(args, "tokens", 1000); i > 0; i--)
				skynet_send(ctx, 0, target, PTYPE_TEXT, 0, NULL, 0);
		}
		static struct bench_meter meter = { .count = lights, .begin = begin, .end = end };
		bench_measure(&meter, args);
	}
}

int benchload_init(void *self, struct skynet_context *ctx, const char *args) {
	(void)self;
	if (strncmp(args, "worker", 6) == 0) {
		skynet_callback(ctx, NULL, work);
	} else if (strncmp(args, "light", 5) == 0) {
		long index = bench_arg(args, "index", 0);
		char phase[8];
		skynet_callback(ctx, (void *)(intptr_t)index, light);
		snprintf(phase, sizeof phase, "%ld", 1 + index % 5);
		skynet_command(ctx, "TIMEOUT", phase);
	} else if (strncmp(args, "hog", 3) == 0) {
		skynet_callback(ctx, NULL, hog);
	} else {
		run(ctx, args);
	}
	return 0;
}
