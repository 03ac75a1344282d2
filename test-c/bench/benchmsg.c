/* Message throughput: independent pairs, rings, many to one, one to many, and a mailbox that fills up.
 *
 *   run kind=pairs pairs=P | kind=ring actors=N tokens=T | kind=fanin senders=S | kind=fanout receivers=R
 *       [size=16] [forward=1] [warm=200] [ms=600] [messages=N]
 *   run kind=deep [count=1000000] [size=16]
 *
 * forward=1: a message is sent on as it is (PTYPE_TAG_DONTCOPY, the callback keeps it); otherwise the core copies it.
 * A ring of one actor is a service whose mailbox always holds T messages.
 * messages=N: end after about N messages and report how many, for a run under an instruction counter.
 * kind=deep: `count` messages go to a service that waits; CPU time to send and to take each, and its memory. */
#include "bench.h"

#define WINDOW 32 /* fan-in: messages for each acknowledgement; two windows are on their way */
#define MAX_SIZE 65536

enum role { PASS_ON, FEED, DRAIN, SPREAD, HOARD };

struct actor {
	_Alignas(128) _Atomic uint64_t received;
	uint32_t handle;
	uint32_t next;
	int index;
	uint32_t *pending; /* of a drain: messages since the last acknowledgement, for each sender; of a spread: missing answers */
};

static struct actor *actors[4096];
static char payload[MAX_SIZE];
static struct {
	int from, to; /* the actors whose callbacks count */
	int spread;   /* receivers of a spread */
	long size, forward, deep;
	uint64_t messages;
} plan;

static int pass_on(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)type, (void)session, (void)source;
	struct actor *a = ud;
	bench_count(&a->received);
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
	bench_count(&a->received);
	if (++a->pending[session] == WINDOW) {
		a->pending[session] = 0;
		skynet_send(ctx, 0, source, PTYPE_TEXT, 0, (void *)msg, sz);
	}
	return 0;
}

/* Once all answers are there (the first round waits for the message that starts it), to all again. */
static int spread(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)type, (void)session, (void)source;
	struct actor *a = ud;
	if (--a->pending[0] > 0)
		return 0;
	a->pending[0] = (uint32_t)plan.spread;
	for (int i = 1; i <= plan.spread; i++)
		skynet_send(ctx, 0, actors[i]->handle, PTYPE_TEXT, 0, (void *)msg, sz);
	return 0;
}

static uint64_t thread_ns(void) { return bench_clock(CLOCK_THREAD_CPUTIME_ID); }

/* The only worker is in here until the mailbox is full. */
static void fill(struct skynet_context *ctx, uint32_t target) {
	double rss = bench_rss();
	uint64_t c0 = thread_ns();
	for (long i = 0; i < plan.deep; i++)
		skynet_send(ctx, 0, target, PTYPE_TEXT, 0, plan.size ? payload : NULL, (size_t)plan.size);
	bench_report("push_ns", (double)(thread_ns() - c0) / (double)plan.deep);
	bench_report("bytes", (bench_rss() - rss) / (double)plan.deep);
}

static int hoard(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)session, (void)source, (void)msg, (void)sz;
	static uint64_t began;
	struct actor *a = ud;
	if (type == PTYPE_RESPONSE) {
		fill(ctx, a->next);
		return 0;
	}
	if (a->received == 0)
		began = thread_ns();
	bench_count(&a->received);
	if (a->received == (uint64_t)plan.deep) {
		bench_report("drain_ns", (double)(thread_ns() - began) / (double)plan.deep);
		bench_done();
	}
	return 0;
}

static uint64_t received(void) {
	uint64_t sum = 0;
	for (int i = plan.from; i < plan.to; i++)
		sum += atomic_load_explicit(&actors[i]->received, memory_order_relaxed);
	return sum;
}

static void *until(void *unused) {
	(void)unused;
	while (received() < plan.messages)
		bench_sleep_ms(1);
	bench_report("messages", (double)received());
	bench_done();
	return NULL;
}

/* `peers`: how many senders a drain has. */
static struct actor *child(struct skynet_context *ctx, int index, enum role role, int peers) {
	char what[64];
	snprintf(what, sizeof what, "benchmsg actor index=%d role=%d peers=%d", index, (int)role, peers);
	uint32_t handle = bench_launch(ctx, what);
	actors[index]->handle = handle;
	return actors[index];
}

static void start(struct skynet_context *ctx, struct actor *a) {
	skynet_send(ctx, 0, a->handle, PTYPE_TEXT, 0, payload, (size_t)plan.size);
}

static void pairs(struct skynet_context *ctx, int n) {
	plan.to = 2 * n;
	for (int i = 0; i < 2 * n; i++)
		child(ctx, i, PASS_ON, 0);
	for (int i = 0; i < 2 * n; i++)
		actors[i]->next = actors[i ^ 1]->handle;
	for (int i = 0; i < n; i++)
		start(ctx, actors[2 * i]);
}

static void ring(struct skynet_context *ctx, int n, int tokens) {
	plan.to = n;
	for (int i = 0; i < n; i++)
		child(ctx, i, PASS_ON, 0);
	for (int i = 0; i < n; i++)
		actors[i]->next = actors[(i + 1) % n]->handle;
	for (int i = 0; i < tokens; i++)
		start(ctx, actors[(int)((long)i * n / tokens)]);
}

static void fanin(struct skynet_context *ctx, int senders) {
	plan.to = 1;
	struct actor *sink = child(ctx, 0, DRAIN, senders);
	for (int i = 1; i <= senders; i++)
		child(ctx, i, FEED, 0)->next = sink->handle;
	for (int i = 1; i <= senders; i++) {
		start(ctx, actors[i]);
		start(ctx, actors[i]);
	}
}

static void fanout(struct skynet_context *ctx, int receivers) {
	plan.spread = receivers;
	plan.from = 1;
	plan.to = receivers + 1;
	struct actor *hub = child(ctx, 0, SPREAD, 1);
	for (int i = 1; i <= receivers; i++)
		child(ctx, i, PASS_ON, 0)->next = hub->handle;
	start(ctx, hub);
}

static void run(struct skynet_context *ctx, const char *args) {
	plan.size = bench_arg(args, "size", 16);
	plan.forward = bench_arg(args, "forward", 0);
	plan.messages = (uint64_t)bench_arg(args, "messages", 0);
	if (bench_is(args, "pairs")) {
		pairs(ctx, (int)bench_arg(args, "pairs", 1));
	} else if (bench_is(args, "ring")) {
		ring(ctx, (int)bench_arg(args, "actors", 100), (int)bench_arg(args, "tokens", 1));
	} else if (bench_is(args, "fanin")) {
		fanin(ctx, (int)bench_arg(args, "senders", 4));
	} else if (bench_is(args, "fanout")) {
		fanout(ctx, (int)bench_arg(args, "receivers", 100));
	} else if (bench_is(args, "deep")) {
		plan.deep = bench_span(args, "count", 1000000);
		child(ctx, 0, HOARD, 0)->next = child(ctx, 1, HOARD, 0)->handle;
		return;
	} else {
		bench_fail("unknown kind");
	}
	static struct bench_meter meter = { .count = received };
	pthread_t thread;
	if (plan.messages == 0)
		bench_measure(&meter, args);
	else if (pthread_create(&thread, NULL, until, NULL) != 0)
		bench_fail("pthread_create");
}

void *benchmsg_create(void) {
	struct actor *a = aligned_alloc(128, sizeof *a);
	if (a != NULL)
		memset(a, 0, sizeof *a);
	return a;
}

int benchmsg_init(struct actor *a, struct skynet_context *ctx, const char *args) {
	static const skynet_cb callback[] = { [PASS_ON] = pass_on, [FEED] = feed, [DRAIN] = drain, [SPREAD] = spread, [HOARD] = hoard };
	if (strncmp(args, "actor", 5) != 0) {
		run(ctx, args);
		return 0;
	}
	enum role role = (enum role)bench_arg(args, "role", PASS_ON);
	a->index = (int)bench_arg(args, "index", 0);
	a->pending = calloc((size_t)bench_arg(args, "peers", 0) + 1, sizeof *a->pending);
	a->pending[0] = role == SPREAD;
	actors[a->index] = a;
	skynet_callback(ctx, a, callback[role]);
	if (role == HOARD && a->index == 0)
		skynet_command(ctx, "TIMEOUT", "5");
	return 0;
}
