/* A log service that throws everything away, so that no run measures a terminal or a disk. */
#include "bench.h"

static int drop(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ctx, (void)ud, (void)type, (void)session, (void)source, (void)msg, (void)sz;
	return 0;
}

int benchlog_init(void *self, struct skynet_context *ctx, const char *args) {
	(void)self, (void)args;
	skynet_callback(ctx, NULL, drop);
	return 0;
}
