/* A log service: writes what it gets to the standard output, with the sender's handle. */
#include <stdio.h>
#include "skynet.h"

static int log_line(struct skynet_context *context, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)context, (void)ud, (void)session;
	if (type == PTYPE_TEXT) {
		printf("[:%08x] %.*s\n", source, (int)sz, (const char *)msg);
		fflush(stdout);
	}
	return 0;
}

int host_log_init(void *instance, struct skynet_context *context, const char *parm) {
	(void)instance, (void)parm;
	skynet_callback(context, NULL, log_line);
	return 0;
}
