/* The least that timers can cost: a program of its own, no node. The kinds are those of `benchtimer` and `benchtick`.
 *
 *   cc -O2 -pthread -o limit_timer limit_timer.c && ./limit_timer kind=pending [timers=1000000] [span=512]
 *   ./limit_timer kind=fire [timers=100000] [rounds=8]
 *   ./limit_timer kind=churn [services=100] [timers=1000]
 *   ./limit_timer kind=accuracy [rounds=60]: sleep until a tick, in place of the wheel
 *
 * A wheel with an array for each tick; a timer is a receiver and a session in it. Firing one is a call through a
 * pointer. No thread, no lock, no message. */
#include "base.h"

#define SLOTS 2048 /* more than any span */

struct slot {
	struct timer {
		uint32_t handle, session;
	} *timer;
	size_t n, room;
};

static struct slot wheel[SLOTS];

static uint64_t calls;
static void called(uint32_t handle, uint32_t session) { calls += handle + session; }
static void (*volatile target)(uint32_t, uint32_t) = called;

static void add(uint64_t due, uint32_t session) {
	struct slot *slot = &wheel[due % SLOTS];
	if (slot->n == slot->room) {
		slot->room = slot->room ? slot->room * 2 : 16;
		slot->timer = realloc(slot->timer, slot->room * sizeof *slot->timer);
	}
	slot->timer[slot->n++] = (struct timer){ 1, session };
}

/* All of a tick; with `again`, each is set anew up to that many ticks later. */
static long expire(uint64_t tick, unsigned again) {
	static unsigned seed;
	struct slot *slot = &wheel[tick % SLOTS];
	size_t n = slot->n;
	for (size_t i = 0; i < n; i++) {
		target(slot->timer[i].handle, slot->timer[i].session);
		if (again)
			add(tick + 1 + (unsigned)rand_r(&seed) % again, (uint32_t)i);
	}
	slot->n = 0;
	return (long)n;
}

static void pending(const char *args) {
	long timers = bench_arg(args, "timers", 1000000), span = bench_arg(args, "span", 512);
	double rss = bench_rss();
	uint64_t t0 = bench_now(), c0 = bench_clock(CLOCK_PROCESS_CPUTIME_ID);
	for (long i = 0; i < timers; i++)
		add((uint64_t)(i % span), (uint32_t)i);
	bench_report("add_ns", (double)(bench_now() - t0) / (double)timers);
	bench_report("add_cpu_ns", (double)(bench_clock(CLOCK_PROCESS_CPUTIME_ID) - c0) / (double)timers);
	bench_report("bytes", (bench_rss() - rss) / (double)timers);
}

static void fire(const char *args) {
	long timers = bench_arg(args, "timers", 100000), rounds = bench_span(args, "rounds", 8);
	uint64_t fire_ns = 0, began = bench_now();
	for (long round = 0; round < rounds; round++) {
		for (long i = 0; i < timers; i++)
			add((uint64_t)round, (uint32_t)i);
		uint64_t t0 = bench_now();
		expire((uint64_t)round, 0);
		fire_ns += bench_now() - t0;
	}
	bench_report("fire_ns", (double)fire_ns / (double)(timers * rounds));
	bench_report("cpu_ns", (double)(bench_now() - began) / (double)(timers * rounds));
}

/* As fast as it goes: what it costs is the same when the ticks are 10 ms apart, but for the caches. */
static void churn(const char *args) {
	long timers = bench_arg(args, "services", 100) * bench_arg(args, "timers", 1000), fired = 0;
	for (long i = 0; i < timers; i++)
		add((uint64_t)(1 + random() % 100), (uint32_t)i);
	uint64_t began = bench_now();
	for (uint64_t tick = 1; tick < 400; tick++)
		fired += expire(tick, 100);
	bench_report("cpu_ns", (double)(bench_now() - began) / (double)fired);
}

static void accuracy(const char *args) {
	long rounds = bench_span(args, "rounds", 60);
	int64_t *sample = calloc((size_t)rounds, sizeof *sample);
	for (long i = 0; i < rounds; i++) {
		uint64_t due = (bench_now() / 10000000 + 1 + (uint64_t)random() % 5) * 10000000;
		struct timespec until = { (time_t)(due / 1000000000), (long)(due % 1000000000) };
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		sample[i] = (int64_t)(bench_now() - due);
	}
	bench_report_ns("tick", sample, (size_t)rounds);
}

int main(int argc, char **argv) {
	char args[256];
	bench_join(args, sizeof args, argc, argv);
	if (bench_is(args, "pending"))
		pending(args);
	else if (bench_is(args, "fire"))
		fire(args);
	else if (bench_is(args, "churn"))
		churn(args);
	else if (bench_is(args, "accuracy"))
		accuracy(args);
	else
		bench_fail("unknown kind");
	return 0;
}
