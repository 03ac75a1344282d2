/* Looking up handles and names.
 *
 *   run [services=1000] [names=100] [churn=0] [warm=200] [ms=600]: one service sends to each of `services` in turn, so
 *       that no cache of the last one helps, and asks for each of `names` names in turn. With churn=1 another launches
 *       and kills services all the time. Reports CPU time of a send and of a query, both within the sender's callback. */
#include "bench.h"

#define BATCH 256

static struct {
	int services, names;
	uint32_t *handle;
	char (*name)[16];
	uint64_t send_ns, query_ns; /* of the sender alone; read after the end */
	_Atomic uint64_t sent, churned, churned_before;
} plan;

static int leaf(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ctx, (void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
	return 0;
}

static int churn(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
	char handle[16];
	snprintf(handle, sizeof handle, ":%08x", bench_launch(ctx, "benchlookup leaf"));
	skynet_command(ctx, "KILL", handle);
	bench_count(&plan.churned);
	skynet_send(ctx, 0, skynet_current_handle(), PTYPE_TEXT, 0, NULL, 0);
	return 0;
}

static int look(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
	static uint64_t next;
	uint64_t t0 = bench_clock(CLOCK_THREAD_CPUTIME_ID);
	for (int i = 0; i < BATCH; i++)
		skynet_send(ctx, 0, plan.handle[next++ % (uint64_t)plan.services], PTYPE_TEXT, 0, NULL, 0);
	uint64_t t1 = bench_clock(CLOCK_THREAD_CPUTIME_ID);
	for (int i = 0; i < BATCH; i++) {
		if (skynet_queryname(ctx, plan.name[(next + (uint64_t)i) % (uint64_t)plan.names]) == 0)
			bench_fail("a name is unknown");
	}
	uint64_t t2 = bench_clock(CLOCK_THREAD_CPUTIME_ID);
	plan.send_ns += t1 - t0;
	plan.query_ns += t2 - t1;
	atomic_store_explicit(&plan.sent, next, memory_order_release);
	skynet_send(ctx, 0, skynet_current_handle(), PTYPE_TEXT, 0, NULL, 0);
	return 0;
}

static uint64_t sent(void) { return atomic_load_explicit(&plan.sent, memory_order_acquire); }

static void begin(void) { plan.churned_before = plan.churned; }

static void end(double seconds) {
	double n = (double)sent();
	bench_report("send_ns", (double)plan.send_ns / n);
	bench_report("query_ns", (double)plan.query_ns / n);
	bench_report("churn_rate", (double)(plan.churned - plan.churned_before) / seconds);
}

static void run(struct skynet_context *ctx, const char *args) {
	plan.services = (int)bench_arg(args, "services", 1000);
	plan.names = (int)bench_arg(args, "names", 100);
	plan.handle = calloc((size_t)plan.services, sizeof *plan.handle);
	plan.name = calloc((size_t)plan.names, sizeof *plan.name);
	for (int i = 0; i < plan.services; i++)
		plan.handle[i] = bench_launch(ctx, "benchlookup leaf");
	for (int i = 0; i < plan.names; i++) {
		char what[48];
		snprintf(plan.name[i], sizeof plan.name[i], ".name%d", i);
		snprintf(what, sizeof what, "%s :%08x", plan.name[i], plan.handle[i]);
		skynet_command(ctx, "NAME", what);
	}
	if (bench_arg(args, "churn", 0))
		bench_launch(ctx, "benchlookup churn");
	static struct bench_meter meter = { .count = sent, .begin = begin, .end = end };
	bench_measure(&meter, args);
}

int benchlookup_init(void *self, struct skynet_context *ctx, const char *args) {
	(void)self;
	if (strncmp(args, "leaf", 4) == 0) {
		skynet_callback(ctx, NULL, leaf);
		return 0;
	}
	int churner = strncmp(args, "churn", 5) == 0;
	skynet_callback(ctx, NULL, churner ? churn : look);
	skynet_command(ctx, "TIMEOUT", "1");
	if (!churner)
		run(ctx, args);
	return 0;
}
