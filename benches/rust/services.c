/* The same services as in src/lib.rs, in C. One library that is all of them; run says what they are for. */
#include <skynet.h>

#include <stdlib.h>
#include <string.h>

enum { GO = 40, ASK = 41, ACK = 42 };
enum { WINDOW = 32 };

static char BYTES[] = "0123456789abcdef";

struct service {
	long left;
	uint32_t receiver;
};

static uint32_t peer(const void *msg, size_t sz) {
	char text[16];
	if (sz >= sizeof(text))
		return 0;
	memcpy(text, msg, sz);
	text[sz] = '\0';
	return (uint32_t)strtoul(text, NULL, 10);
}

static void ended(struct skynet_context *context) {
	skynet_sendname(context, 0, ".main", PTYPE_TEXT, 0, "end", 3);
}

static int ping(struct skynet_context *context, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	struct service *service = ud;
	(void)session;
	if (type == GO) {
		skynet_send(context, 0, peer(msg, sz), PTYPE_TEXT, 0, BYTES, 16);
		return 0;
	}
	if (--service->left == 0) {
		ended(context);
		return 0;
	}
	skynet_send(context, 0, source, PTYPE_TEXT | PTYPE_TAG_DONTCOPY, 0, (void *)msg, sz);
	return 1;
}

static void burst(struct skynet_context *context, struct service *service) {
	for (int i = 1; i < WINDOW; i++)
		skynet_send(context, 0, service->receiver, PTYPE_TEXT, 0, BYTES, 16);
	skynet_send(context, 0, service->receiver, ASK, 0, BYTES, 16);
}

static int sender(struct skynet_context *context, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	struct service *service = ud;
	(void)session;
	(void)source;
	if (type == GO) {
		service->receiver = peer(msg, sz);
		burst(context, service);
	}
	burst(context, service);
	return 0;
}

static int receiver(struct skynet_context *context, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	struct service *service = ud;
	(void)session;
	(void)msg;
	(void)sz;
	service->left--;
	if (service->left == 0)
		ended(context);
	if (service->left > 0 && type == ASK)
		skynet_send(context, 0, source, ACK, 0, NULL, 0);
	return 0;
}

static int idle(struct skynet_context *context, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	(void)context;
	(void)ud;
	(void)type;
	(void)session;
	(void)source;
	(void)msg;
	(void)sz;
	return 0;
}

#define SERVICE(name, callback)                                                                       \
	struct service *name##_create(void) {                                                         \
		return calloc(1, sizeof(struct service));                                             \
	}                                                                                             \
	int name##_init(struct service *service, struct skynet_context *context, const char *args) { \
		service->left = args ? atol(args) : 0;                                                \
		skynet_callback(context, service, callback);                                          \
		return 0;                                                                             \
	}                                                                                             \
	void name##_release(struct service *service) {                                                \
		free(service);                                                                        \
	}

SERVICE(cping, ping)
SERVICE(csender, sender)
SERVICE(creceiver, receiver)
SERVICE(cidle, idle)
