/* The least that timers can cost: a program of its own, no node. The kinds are those of `benchtimer` and `benchtick`.
 *
 *   cc -O2 -pthread -o limit_timer limit_timer.c && ./limit_timer kind=pending [timers=1000000] [span=512] [heap=1]
 *   ./limit_timer kind=fire [timers=100000] [rounds=8]
 *   ./limit_timer kind=churn [services=100] [timers=1000]
 *   ./limit_timer kind=accuracy [rounds=60]: sleep until a tick, in place of the wheel
 *
 * A timer is a block with a receiver and a session in a wheel of lists, one list a tick; with heap=1 an entry of a
 * binary heap. Firing one is a call through a pointer. No thread, no lock, no message. */
#include "base.h"

#define SLOTS 2048 /* more than any span */

struct timer {
	struct timer *next;
	uint32_t handle, session;
};

struct entry {
	uint64_t due;
	uint32_t handle, session;
};

static struct timer *wheel[SLOTS];
static struct entry *heap;
static size_t heap_n;

static uint64_t calls;
static void called(uint32_t handle, uint32_t session) { calls += handle + session; }
static void (*volatile target)(uint32_t, uint32_t) = called;

static void add(uint64_t due, uint32_t session) {
	struct timer *t = malloc(sizeof *t);
	t->handle = 1;
	t->session = session;
	t->next = wheel[due % SLOTS];
	wheel[due % SLOTS] = t;
}

/* All of a tick; with `again`, each is set anew up to that many ticks later. */
static long expire(uint64_t tick, unsigned again) {
	static unsigned seed;
	long n = 0;
	struct timer *t = wheel[tick % SLOTS];
	wheel[tick % SLOTS] = NULL;
	while (t != NULL) {
		struct timer *next = t->next;
		target(t->handle, t->session);
		free(t);
		if (again)
			add(tick + 1 + (unsigned)rand_r(&seed) % again, (uint32_t)n);
		t = next;
		n++;
	}
	return n;
}

static void heap_add(uint64_t due, uint32_t session) {
	static size_t room;
	if (heap_n == room)
		heap = realloc(heap, (room = room ? room * 2 : 64) * sizeof *heap);
	size_t at = heap_n++;
	for (; at > 0 && heap[(at - 1) / 2].due > due; at = (at - 1) / 2)
		heap[at] = heap[(at - 1) / 2];
	heap[at] = (struct entry){ due, 1, session };
}

static void pending(const char *args) {
	long timers = bench_arg(args, "timers", 1000000), span = bench_arg(args, "span", 512);
	void (*one)(uint64_t, uint32_t) = bench_arg(args, "heap", 0) ? heap_add : add;
	double rss = bench_rss();
	uint64_t t0 = bench_now();
	for (long i = 0; i < timers; i++)
		one((uint64_t)(i % span), (uint32_t)i);
	bench_report("add_ns", (double)(bench_now() - t0) / (double)timers);
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
