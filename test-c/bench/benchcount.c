/* A fixed amount of work, for counting instructions: does it `n` times, then ends the node.
 *
 *   run kind=message n=N: two services send one 16-byte message back and forth, N messages in all.
 *   run kind=timer n=N: N timers of one service, 1,000 at a time, each set and fired.
 *   run kind=launch n=N: a service is launched and killed N times. */
#include "bench.h"

#define AT_ONCE 1000

static struct {
	long n, done;
	uint32_t peer[2];
} plan;

static int pass_on(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)type, (void)session, (void)source;
	if (++plan.done == plan.n)
		bench_done();
	else
		skynet_send(ctx, 0, plan.peer[(intptr_t)ud], PTYPE_TEXT, 0, (void *)msg, sz);
	return 0;
}

static void set_timers(struct skynet_context *ctx) {
	for (int i = 0; i < AT_ONCE; i++)
		skynet_command(ctx, "TIMEOUT", "1");
}

static int fired(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
	if (++plan.done >= plan.n)
		bench_done();
	else if (plan.done % AT_ONCE == 0)
		set_timers(ctx);
	return 0;
}

static int nothing(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ctx, (void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
	return 0;
}

/* One launch for each message, so that the node gives the memory of the dead ones back in between. */
static int launch(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
	char handle[16];
	snprintf(handle, sizeof handle, "%s", skynet_command(ctx, "LAUNCH", "benchcount leaf"));
	skynet_command(ctx, "KILL", handle);
	if (++plan.done == plan.n)
		bench_done();
	else
		skynet_send(ctx, 0, skynet_current_handle(), PTYPE_TEXT, 0, NULL, 0);
	return 0;
}

int benchcount_init(void *self, struct skynet_context *ctx, const char *args) {
	static char payload[16];
	(void)self;
	if (strncmp(args, "leaf", 4) == 0) {
		skynet_callback(ctx, NULL, nothing);
		return 0;
	}
	if (strncmp(args, "peer", 4) == 0) {
		skynet_callback(ctx, (void *)(intptr_t)bench_arg(args, "index", 0), pass_on);
		return 0;
	}
	plan.n = bench_arg(args, "n", 1000);
	if (bench_is(args, "message")) {
		plan.peer[1] = bench_launch(ctx, "benchcount peer index=0");
		plan.peer[0] = bench_launch(ctx, "benchcount peer index=1");
		skynet_send(ctx, 0, plan.peer[1], PTYPE_TEXT, 0, payload, sizeof payload);
	} else if (bench_is(args, "timer")) {
		skynet_callback(ctx, NULL, fired);
		set_timers(ctx);
	} else if (bench_is(args, "launch")) {
		skynet_callback(ctx, NULL, launch);
		skynet_command(ctx, "TIMEOUT", "0");
	} else {
		bench_fail("unknown kind");
	}
	return 0;
}
