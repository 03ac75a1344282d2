/*
 * A service in C: counts the bytes of the texts that it gets, and answers with the sum.
 *
 * The node loads counter.so and looks for the functions counter_create, counter_init, counter_release (and
 * counter_signal). Nothing of skynet is linked: the executable has the functions.
 */
#include <skynet.h>
#include <stdio.h>
#include <stdlib.h>

struct counter {
	long bytes;
};

/* Runs for each message, never twice at a time for one service. 0: the core frees msg. */
static int receive(struct skynet_context *context, void *ud, int type, int session, uint32_t source, const void *msg,
	size_t size)
{
	struct counter *counter = ud;
	(void)msg;
	if (type == PTYPE_TEXT) {
		char text[32];
		counter->bytes += (long)size;
		int length = snprintf(text, sizeof text, "%ld", counter->bytes);
		if (session != 0) /* a call: the answer has the same session */
			skynet_send(context, 0, source, PTYPE_RESPONSE, session, text, (size_t)length);
	}
	return 0;
}

struct counter *counter_create(void)
{
	return calloc(1, sizeof(struct counter));
}

/* args: what stands behind the name at the start. Not 0: the service does not start. */
int counter_init(struct counter *counter, struct skynet_context *context, const char *args)
{
	counter->bytes = atol(args);
	skynet_callback(context, counter, receive);
	skynet_error(context, "counter begins with %ld", counter->bytes);
	return 0;
}

void counter_release(struct counter *counter)
{
	free(counter);
}
