/* Launches whatever its argument lists, one module line between commas. */
#include "probe.h"

int modules_init(void *inst, struct skynet_context *ctx, const char *parm)
{
	char line[4096];
	UNUSED(inst);
	snprintf(line, sizeof line, "%s", parm);
	for (char *name = strtok(line, ","); name; name = strtok(NULL, ","))
		FACT(ctx, "launch %s %s", name, skynet_command(ctx, "LAUNCH", name) ? "works" : "fails");
	DONE(ctx);
	return 0;
}
