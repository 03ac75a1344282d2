/* A module with an init and nothing else. */
#include "probe.h"

int plain_init(void *inst, struct skynet_context *ctx, const char *parm)
{
	FACT(ctx, "instance %d argument %s", inst == (void *)~(uintptr_t)0, text(parm));
	return 0;
}
