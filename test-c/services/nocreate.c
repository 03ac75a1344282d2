/* A module that cannot create an instance. */
#include "probe.h"

void *nocreate_create(void)
{
	return NULL;
}

int nocreate_init(void *inst, struct skynet_context *ctx, const char *parm)
{
	UNUSED(inst), UNUSED(parm);
	FACT(ctx, "init without an instance");
	return 0;
}
