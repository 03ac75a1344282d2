/* Message throughput: independent pairs, rings, fan-in.
 *
 *   run kind=pairs pairs=P | kind=ring actors=N tokens=T | kind=fanin senders=S
 *       [size=16] [forward=1] [warm=200] [ms=600] [messages=N]
 *
 * forward=1: a message is sent on as it is (PTYPE_TAG_DONTCOPY, the callback keeps it); otherwise the core copies it.
 * messages=N: end after about N messages and report how many, for a run under an instruction counter.
 * A thread of its own, which no worker knows, reads the counters before and after the measured phase. */
#include "bench.h"

#define WINDOW 32 /* fan-in: messages for each acknowledgement; two windows are on their way */
#define MAX_SIZE 65536

struct actor {
	_Alignas(128) _Atomic uint64_t received; /* one writer: no locked instruction needed */
	uint32_t handle;
	uint32_t next;
	int index;
	int sink;
	uint32_t *pending; /* of a sink: messages since the last acknowledgement, for each sender */
};

static struct actor *actors[4096];
static struct {
	int count; /* actors whose callbacks are counted start here ... */
	long size, forward, warm, ms;
	uint64_t messages;
} plan;

static void count(struct actor *a) {
	uint64_t n = atomic_load_explicit(&a->received, memory_order_relaxed);
	atomic_store_explicit(&a->received, n + 1, memory_order_relaxed);
}

static int pass_on(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)type, (void)session, (void)source;
	struct actor *a = ud;
	count(a);
	if (plan.forward) {
		skynet_send(ctx, 0, a->next, PTYPE_TEXT | PTYPE_TAG_DONTCOPY, 0, (void *)msg, sz);
		return 1;
	}
	skynet_send(ctx, 0, a->next, PTYPE_TEXT, 0, (void *)msg, sz);
	return 0;
}

static int feed(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)type, (void)session, (void)source, (void)sz;
	struct actor *a = ud;
	for (int i = 0; i < WINDOW; i++)
		skynet_send(ctx, 0, a->next, PTYPE_TEXT, a->index, (void *)msg, sz);
	return 0;
}

static int drain(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)type;
	struct actor *a = ud;
	count(a);
	if (++a->pending[session] == WINDOW) {
		a->pending[session] = 0;
		skynet_send(ctx, 0, source, PTYPE_TEXT, 0, (void *)msg, sz);
	}
	return 0;
}

static uint64_t received(void) {
	uint64_t sum = 0;
	for (int i = 0; i < plan.count; i++)
		sum += atomic_load_explicit(&actors[i]->received, memory_order_relaxed);
	return sum;
}

static void *measure(void *unused) {
	(void)unused;
	if (plan.messages) {
		while (received() < plan.messages)
			bench_sleep_ms(1);
		bench_report("messages", (double)received());
		bench_done();
	}
	bench_sleep_ms(plan.warm);
	uint64_t n0 = received(), t0 = bench_now(), c0 = bench_clock(CLOCK_PROCESS_CPUTIME_ID);
	bench_sleep_ms(plan.ms);
	uint64_t n1 = received(), t1 = bench_now(), c1 = bench_clock(CLOCK_PROCESS_CPUTIME_ID);
	if (n1 == n0)
		bench_fail("no message was delivered");
	bench_report("rate", (double)(n1 - n0) * 1e9 / (double)(t1 - t0));
	bench_report("cpu_ns", (double)(c1 - c0) / (double)(n1 - n0));
	bench_done();
	return NULL;
}

static struct actor *child(struct skynet_context *ctx, int index, int sink) {
	char what[64];
	snprintf(what, sizeof what, "benchmsg actor index=%d sink=%d", index, sink);
	uint32_t handle = bench_launch(ctx, what);
	actors[index]->handle = handle;
	return actors[index];
}

static void start(struct skynet_context *ctx, struct actor *a) {
	static char payload[MAX_SIZE];
	skynet_send(ctx, 0, a->handle, PTYPE_TEXT, 0, payload, (size_t)plan.size);
}

static void run(struct skynet_context *ctx, const char *args) {
	plan.size = bench_arg(args, "size", 16);
	plan.forward = bench_arg(args, "forward", 0);
	plan.warm = bench_arg(args, "warm", 200);
	plan.ms = bench_arg(args, "ms", 600);
	plan.messages = (uint64_t)bench_arg(args, "messages", 0);
	if (bench_is(args, "pairs")) {
		int pairs = (int)bench_arg(args, "pairs", 1);
		for (int i = 0; i < pairs; i++) {
			struct actor *a = child(ctx, 2 * i, 0), *b = child(ctx, 2 * i + 1, 0);
			a->next = b->handle;
			b->next = a->handle;
		}
		plan.count = 2 * pairs;
		for (int i = 0; i < pairs; i++)
			start(ctx, actors[2 * i]);
	} else if (bench_is(args, "ring")) {
		int n = (int)bench_arg(args, "actors", 100), tokens = (int)bench_arg(args, "tokens", 1);
		for (int i = 0; i < n; i++)
			child(ctx, i, 0);
		for (int i = 0; i < n; i++)
			actors[i]->next = actors[(i + 1) % n]->handle;
		plan.count = n;
		for (int i = 0; i < tokens; i++)
			start(ctx, actors[i * n / tokens]);
	} else if (bench_is(args, "fanin")) {
		int senders = (int)bench_arg(args, "senders", 4);
		struct actor *sink = child(ctx, 0, senders);
		plan.count = 1;
		for (int i = 0; i < senders; i++)
			child(ctx, i + 1, 0)->next = sink->handle;
		for (int i = 0; i < senders; i++) {
			start(ctx, actors[i + 1]);
			start(ctx, actors[i + 1]);
		}
	} else {
		bench_fail("unknown kind");
	}
	pthread_t thread;
	if (pthread_create(&thread, NULL, measure, NULL) != 0)
		bench_fail("pthread_create");
}

void *benchmsg_create(void) {
	struct actor *a = aligned_alloc(128, sizeof *a);
	if (a != NULL)
		memset(a, 0, sizeof *a);
	return a;
}

int benchmsg_init(struct actor *a, struct skynet_context *ctx, const char *args) {
	if (strncmp(args, "actor", 5) != 0) {
		run(ctx, args);
		return 0;
	}
	a->index = (int)bench_arg(args, "index", 0);
	a->sink = (int)bench_arg(args, "sink", 0);
	actors[a->index] = a;
	if (a->sink) {
		a->pending = calloc((size_t)a->sink + 1, sizeof *a->pending);
		skynet_callback(ctx, a, drain);
	} else {
		/* The sink of a fan-in is launched first; whoever comes later under it feeds it. */
		int fanin = a->index > 0 && actors[0]->sink;
		skynet_callback(ctx, a, fanin ? feed : pass_on);
	}
	return 0;
}
