/* The least that a message can cost on this machine: a program of its own, no node.
 *
 *   cc -O2 -pthread -o limit limit.c && ./limit
 *
 * Prints, in nanoseconds: allocate, copy 16 bytes, queue, take out, call through a pointer, free, with (a) a plain
 * ring, (b) a queue that any thread may push to; then what that is made of, and what a hop to another core costs.
 *
 *   ./limit message [threads=1] [size=16] [forward=1] [warm=200] [ms=600]: (b) as `benchmsg` measures it, in so many
 *       threads, each with a queue of its own. With forward=1 nothing is allocated or copied.
 *   ./limit wakeup [rounds=100]: `benchlat` with two bare threads, each on a processor of its own, and a futex.
 *   ./limit sleep [rounds=200]: `bench_neighbour.lua` as one bare thread that sleeps for 30 ms. */
#include "base.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>

static double now(void) { return (double)bench_now(); }

struct item {
	_Atomic(struct item *) next;
	void *data;
	size_t size;
};

static uint64_t calls;
static void called(void *data, size_t size) { calls += size + (data != NULL); }
static void (*volatile target)(void *, size_t) = called;

static char payload[16];

static void *copy(void) {
	void *block = malloc(sizeof payload);
	memcpy(block, payload, sizeof payload);
	return block;
}

static void plain_ring(long n) {
	static struct item ring[64];
	for (long i = 0; i < n; i++) {
		struct item *slot = &ring[i & 63];
		slot->data = copy();
		slot->size = sizeof payload;
		target(slot->data, slot->size);
		free(slot->data);
	}
}

/* An intrusive queue with one locked exchange a push; the node stands in front of the payload. */
static void shared_queue(long n) {
	static struct item stub;
	static _Atomic(struct item *) tail;
	struct item *head = &stub;
	atomic_store(&tail, &stub);
	for (long i = 0; i < n; i++) {
		struct item *node = malloc(sizeof *node + sizeof payload);
		memcpy(node + 1, payload, sizeof payload);
		node->data = node + 1;
		node->size = sizeof payload;
		atomic_store_explicit(&node->next, NULL, memory_order_relaxed);
		struct item *last = atomic_exchange_explicit(&tail, node, memory_order_acq_rel);
		atomic_store_explicit(&last->next, node, memory_order_release);
		struct item *first = atomic_load_explicit(&head->next, memory_order_acquire);
		target(first->data, first->size);
		if (head != &stub)
			free(head);
		head = first;
	}
}

static void allocate(long n) {
	for (long i = 0; i < n; i++) {
		void *volatile block = copy();
		free(block);
	}
}

static void locked_add(long n) {
	static _Atomic long counter;
	for (long i = 0; i < n; i++)
		atomic_fetch_add(&counter, 1);
}

static void thread_clock(long n) {
	struct timespec t;
	for (long i = 0; i < n; i++)
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
}

static void wall_clock(long n) {
	for (long i = 0; i < n; i++)
		now();
}

static _Alignas(128) _Atomic long turn;
static long hops;

static void *other_side(void *unused) {
	(void)unused;
	for (long i = 1; i < hops; i += 2) {
		while (atomic_load_explicit(&turn, memory_order_acquire) != i) {
		}
		atomic_store_explicit(&turn, i + 1, memory_order_release);
	}
	return NULL;
}

static void cross_core(long n) {
	hops = n;
	atomic_store(&turn, 0);
	pthread_t thread;
	pthread_create(&thread, NULL, other_side, NULL);
	for (long i = 0; i < n; i += 2) {
		while (atomic_load_explicit(&turn, memory_order_acquire) != i) {
		}
		atomic_store_explicit(&turn, i + 1, memory_order_release);
	}
	pthread_join(thread, NULL);
}

static void show(const char *what, void (*body)(long), long n) {
	body(n / 10 / 2 * 2);
	double best = 1e30;
	for (int round = 0; round < 5; round++) {
		double began = now();
		body(n);
		double each = (now() - began) / (double)n;
		if (each < best)
			best = each;
	}
	printf("%-52s %8.1f ns\n", what, best);
}

static struct {
	int threads, forward;
	size_t size;
	struct {
		_Alignas(128) _Atomic uint64_t n;
	} done[64];
} plan;

static uint64_t done(void) {
	uint64_t sum = 0;
	for (int i = 0; i < plan.threads; i++)
		sum += atomic_load_explicit(&plan.done[i].n, memory_order_relaxed);
	return sum;
}

static void *messages(void *index) {
	struct item *head = calloc(1, sizeof *head + plan.size), *kept = calloc(1, sizeof *head + plan.size);
	_Atomic(struct item *) tail = head;
	char *source = calloc(1, plan.size + 1);
	for (;;) {
		struct item *node = plan.forward ? kept : malloc(sizeof *node + plan.size);
		if (!plan.forward)
			memcpy(node + 1, source, plan.size);
		node->data = node + 1;
		node->size = plan.size;
		atomic_store_explicit(&node->next, NULL, memory_order_relaxed);
		struct item *last = atomic_exchange_explicit(&tail, node, memory_order_acq_rel);
		atomic_store_explicit(&last->next, node, memory_order_release);
		struct item *first = atomic_load_explicit(&head->next, memory_order_acquire);
		target(first->data, first->size);
		bench_count(&plan.done[(intptr_t)index].n);
		if (plan.forward)
			kept = head;
		else
			free(head);
		head = first;
	}
	return NULL;
}

static void message(const char *args) {
	static struct bench_meter meter = { .count = done };
	plan.threads = (int)bench_arg(args, "threads", 1);
	plan.forward = (int)bench_arg(args, "forward", 0);
	plan.size = (size_t)bench_arg(args, "size", 16);
	for (intptr_t i = 0; i < plan.threads; i++) {
		pthread_t thread;
		pthread_create(&thread, NULL, messages, (void *)i);
	}
	bench_measure(&meter, args);
	pause();
}

static _Alignas(128) _Atomic uint64_t stamp;
static _Atomic uint32_t bell;
static int64_t sample[1000];
static long rounds;

static void own_processor(int index) {
	cpu_set_t all, one;
	sched_getaffinity(0, sizeof all, &all);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &all) && index-- == 0) {
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			sched_setaffinity(0, sizeof one, &one);
			return;
		}
	}
}

static void *sleeper(void *unused) {
	(void)unused;
	own_processor(1);
	for (uint32_t round = 0; round < rounds; round++) {
		while (atomic_load(&bell) == round)
			syscall(SYS_futex, &bell, FUTEX_WAIT_PRIVATE, round, NULL, NULL, 0);
		sample[round] = (int64_t)(bench_now() - atomic_load(&stamp));
	}
	return NULL;
}

static void wakeup(const char *args) {
	rounds = bench_span(args, "rounds", 100); /* at most as many as there are samples */
	pthread_t thread;
	pthread_create(&thread, NULL, sleeper, NULL);
	own_processor(0);
	for (long round = 0; round < rounds; round++) {
		bench_sleep_ms(10);
		atomic_store(&stamp, bench_now());
		atomic_fetch_add(&bell, 1);
		syscall(SYS_futex, &bell, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		bench_spin(5000000);
	}
	pthread_join(thread, NULL);
	bench_report_ns("wakeup", sample, (size_t)rounds);
	bench_done();
}

static void sleeps(const char *args) {
	long late = 0;
	double worst = 0;
	rounds = bench_arg(args, "rounds", 200);
	for (long round = 0; round < rounds; round++) {
		uint64_t began = bench_now();
		bench_sleep_ms(30);
		double ms = (double)(bench_now() - began) / 1e6 - 30;
		worst = ms > worst ? ms : worst;
		late += ms > 100;
	}
	bench_report("worst_late_ms", worst);
	bench_report("late", (double)late);
	bench_done();
}

int main(int argc, char **argv) {
	char args[256];
	bench_join(args, sizeof args, argc, argv);
	if (argc > 1 && strcmp(argv[1], "message") == 0)
		message(args);
	else if (argc > 1 && strcmp(argv[1], "wakeup") == 0)
		wakeup(args);
	else if (argc > 1 && strcmp(argv[1], "sleep") == 0)
		sleeps(args);
	show("a message through a plain ring, one thread", plain_ring, 10000000);
	show("a message through a queue for many senders, alone", shared_queue, 10000000);
	show("of which: allocate, copy, free", allocate, 10000000);
	show("one locked instruction, cached", locked_add, 20000000);
	show("thread CPU clock", thread_clock, 500000);
	show("monotonic clock", wall_clock, 2000000);
	show("hop to a thread on another core that spins", cross_core, 1000000);
	return calls == 0;
}
