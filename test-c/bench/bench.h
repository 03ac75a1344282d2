/* What every benchmark service shares, beside base.h.
 *
 * A benchmark service is started as the node's bootstrap service with arguments such as "run kind=ring actors=100". */
#ifndef BENCH_H
#define BENCH_H

#include "base.h"
#include "skynet.h"

/* Launch a service and give its handle. */
static inline uint32_t bench_launch(struct skynet_context *ctx, const char *what) {
	const char *text = skynet_command(ctx, "LAUNCH", what);
	if (text == NULL)
		bench_fail("LAUNCH failed");
	return (uint32_t)strtoul(text + 1, NULL, 16);
}

#endif
