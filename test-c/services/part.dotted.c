/* A module with dots in its name: the symbols begin after the last one. */
#include "probe.h"

int dotted_init(void *inst, struct skynet_context *ctx, const char *parm)
{
	UNUSED(inst);
	FACT(ctx, "dotted %s", parm);
	return 0;
}
