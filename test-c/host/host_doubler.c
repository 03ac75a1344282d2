/* Answers every text message, a number, with twice the number: each hundredth is worked out by the host's Lua. */
#include <stdio.h>
#include <stdlib.h>
#include "skynet.h"
#include "host.h"

static int answer(struct skynet_context *context, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	char text[64];
	long number;
	(void)ud, (void)sz;
	if (type != PTYPE_TEXT) {
		return 0;
	}
	/* Copied messages end with a zero that is not counted. */
	number = strtol((const char *)msg, NULL, 10);
	if (number % 100 == 0) {
		snprintf(text, sizeof(text), "return %ld * 2", number);
		number = host_evaluate(text);
	} else {
		number *= 2;
	}
	skynet_send(context, 0, source, PTYPE_RESPONSE, session, text, (size_t)snprintf(text, sizeof(text), "%ld", number));
	return 0;
}

int host_doubler_init(void *instance, struct skynet_context *context, const char *parm) {
	(void)instance, (void)parm;
	skynet_callback(context, NULL, answer);
	return 0;
}
