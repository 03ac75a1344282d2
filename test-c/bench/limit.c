/* The least that a message can cost on this machine: a program of its own, no node.
 *
 *   cc -O2 -pthread -o limit limit.c && ./limit
 *
 * Prints, in nanoseconds: allocate, copy 16 bytes, queue, take out, call through a pointer, free, with (a) a plain
 * ring, (b) a queue that any thread may push to; then what that is made of, and what a hop to another core costs. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

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

int main(void) {
	show("a message through a plain ring, one thread", plain_ring, 10000000);
	show("a message through a queue for many senders, alone", shared_queue, 10000000);
	show("of which: allocate, copy, free", allocate, 10000000);
	show("one locked instruction, cached", locked_add, 20000000);
	show("thread CPU clock", thread_clock, 500000);
	show("monotonic clock", wall_clock, 2000000);
	show("hop to a thread on another core that spins", cross_core, 1000000);
	return calls == 0;
}
