/* A TCP echo server in one service, on the loopback.
 *
 *   run port=P [greet=1] [broadcast=1]: prints "BENCH ready 1" once it listens. With greet=1 it sends one byte to every accepted
 *       connection, by which the client knows that the service has it. With broadcast=1 what a connection sends goes to all. */
#include "bench.h"
#include "skynet_socket.h"

#define MAX_CONNECTIONS 65536

static struct {
	int listener, greet, broadcast, count;
	int id[MAX_CONNECTIONS]; /* of a broadcast: all connections so far */
} echo;

static void give(struct skynet_context *ctx, int id, const char *text, int n) {
	char *copy = skynet_malloc((size_t)n);
	memcpy(copy, text, (size_t)n);
	skynet_socket_send(ctx, id, copy, n);
}

static int on_event(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)ud, (void)session, (void)source, (void)sz;
	if (type != PTYPE_SOCKET)
		return 0;
	const struct skynet_socket_message *event = msg;
	switch (event->type) {
	case SKYNET_SOCKET_TYPE_DATA:
		if (echo.broadcast) {
			for (int i = 0; i < echo.count; i++)
				give(ctx, echo.id[i], event->buffer, event->ud);
			skynet_free(event->buffer);
		} else {
			skynet_socket_send(ctx, event->id, event->buffer, event->ud);
		}
		break;
	case SKYNET_SOCKET_TYPE_ACCEPT:
		skynet_socket_start(ctx, event->ud);
		break;
	case SKYNET_SOCKET_TYPE_CONNECT:
		if (event->id == echo.listener) {
			/* Raised for the listen and again for the start of it. */
			static int ready;
			if (!ready++)
				bench_report("ready", 1);
		} else {
			skynet_socket_nodelay(ctx, event->id);
			if (echo.broadcast && echo.count < MAX_CONNECTIONS)
				echo.id[echo.count++] = event->id;
			if (echo.greet)
				give(ctx, event->id, "!", 1);
		}
		break;
	case SKYNET_SOCKET_TYPE_CLOSE:
	case SKYNET_SOCKET_TYPE_ERROR:
		skynet_socket_close(ctx, event->id);
		break;
	}
	return 0;
}

int benchecho_init(void *self, struct skynet_context *ctx, const char *args) {
	(void)self;
	echo.greet = (int)bench_arg(args, "greet", 0);
	echo.broadcast = (int)bench_arg(args, "broadcast", 0);
	skynet_callback(ctx, NULL, on_event);
	echo.listener = skynet_socket_listen(ctx, "127.0.0.1", (int)bench_arg(args, "port", 0), 4096);
	if (echo.listener < 0)
		bench_fail("listen failed");
	skynet_socket_start(ctx, echo.listener);
	return 0;
}
