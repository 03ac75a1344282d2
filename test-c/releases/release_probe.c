/*
 * A service that looks at what differs between the releases of the interface, from inside: a connection that its peer
 * ends, messages to another node, statistics of sockets, threads of the project's own. What it expects is what the release
 * of SKYNET_API_VERSION does. With COMPILED_THEN it looks for the names that a service has that was compiled for that
 * release then, so that only the config can tell the node what it is. With the argument "harbor" it is no more than the
 * harbor service.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "skynet.h"
#include "skynet_harbor.h"
#include "skynet_socket.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(COMPILED_THEN) && SKYNET_API_VERSION < 10200
#undef skynet_harbor_start
void skynet_harbor_start(void *ctx);
#endif
#if defined(COMPILED_THEN) && SKYNET_API_VERSION < 10300
#undef skynet_socket_send
int skynet_socket_send(struct skynet_context *ctx, int id, void *buffer, int sz);
#endif
#ifdef OWN_SEND
/* A function of the service's own that has the name of one of the core. */
int skynet_socket_send(struct skynet_context *ctx, int id, void *buffer, int sz) {
	(void)ctx, (void)id, (void)buffer, (void)sz;
	return -1;
}
#endif
#if defined(COMPILED_THEN) && SKYNET_API_VERSION < 10400
#undef skynet_socket_info
struct socket_info *skynet_socket_info(void);
#endif

void release_passed(void);

#define HALF_CLOSE (SKYNET_API_VERSION >= 10500)
/* Whether a close of what is gone is answered depends on the main program. */
#ifdef COMPILED_THEN
#define CLOSES 1
#else
#define CLOSES (HALF_CLOSE ? 1 : 2)
#endif
#define HAS_SOCKET_INFO (SKYNET_API_VERSION >= 10200)
#define TYPE_INSIDE (SKYNET_API_VERSION >= 10200)

struct probe {
	int listener;
	char name[32];
	int peer;
	int id;
	int closes;
	int remote;
};

static void require(int condition, const char *what) {
	if (!condition) {
		fprintf(stderr, "release %d: %s\n", SKYNET_API_VERSION, what);
		exit(1);
	}
}

static void *foreign_thread(void *ud) {
	*(uint32_t *)ud = skynet_current_handle();
	return NULL;
}

static void look_at_threads(void) {
	uint32_t handle = 1;
	pthread_t thread;
	require(pthread_create(&thread, NULL, foreign_thread, &handle) == 0, "a thread");
	pthread_join(thread, NULL);
	require(handle == 0, "a thread of the project's own is no service");
}

static void look_at_statistics(struct probe *self) {
#if HAS_SOCKET_INFO
	struct socket_info *first = skynet_socket_info();
	struct socket_info *info;
	int found = 0;
	for (info = first; info; info = info->next) {
		if (info->id == self->id) {
			found += info->type == SOCKET_INFO_TCP && strcmp(info->name, self->name) == 0;
		} else {
			/* The one that was bound: the list has to go on behind the first. */
			found += info->type == SOCKET_INFO_BIND;
		}
	}
	socket_info_release(first);
	require(found == 2, "statistics of two sockets");
#else
	(void)self;
#endif
}

static void ends(struct skynet_context *context, struct probe *self) {
	require(self->closes == CLOSES, "how often CLOSE comes");
	require(self->remote, "the message to the other node");
	release_passed();
	skynet_command(context, "ABORT", NULL);
}

static void on_socket(struct skynet_context *context, struct probe *self, const struct skynet_socket_message *message) {
	char *bytes;
	if (message->id != self->id) {
		return;
	}
	switch (message->type) {
	case SKYNET_SOCKET_TYPE_CONNECT:
		self->peer = accept(self->listener, NULL, NULL);
		look_at_statistics(self);
		close(self->peer);
		break;
	case SKYNET_SOCKET_TYPE_CLOSE:
		if (++self->closes > 1) {
			break;
		}
		bytes = (char *)skynet_malloc(1);
		*bytes = 'x';
		require(skynet_socket_send(context, self->id, bytes, 1) == (HALF_CLOSE ? 0 : -1), "a write after the end");
		skynet_socket_close(context, self->id);
		/* Is answered after the close. */
		skynet_socket_start(context, self->id);
		break;
	case SKYNET_SOCKET_TYPE_ERROR:
		/* What was written is refused by a peer that is gone. */
		if (self->closes > 0 && strncmp((const char *)(message + 1), "invalid socket", 14) == 0) {
			ends(context, self);
		}
		break;
	}
}

/* Something that left for another node. */
static void on_remote(struct probe *self, int type, const struct remote_message *message, size_t sz) {
	require(sz == sizeof(*message), "size of a remote message");
#if TYPE_INSIDE
	require(type == PTYPE_SYSTEM && message->type == PTYPE_RESERVED_LUA, "type of a remote message");
#else
	require(type == PTYPE_RESERVED_LUA, "type of a remote message");
#endif
	require(message->sz == 2 && memcmp(message->message, "hi", 2) == 0, "bytes of a remote message");
	skynet_free((void *)message->message);
	self->remote = 1;
}

static int on_message(struct skynet_context *context, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	struct probe *self = (struct probe *)ud;
	(void)session;
	(void)source;
	if (type == PTYPE_SOCKET) {
		on_socket(context, self, (const struct skynet_socket_message *)msg);
	} else {
		on_remote(self, type, (const struct remote_message *)msg, sz);
	}
	return 0;
}

struct probe *release_probe_create(void) {
	return (struct probe *)calloc(1, sizeof(struct probe));
}

void release_probe_release(struct probe *self) {
	close(self->listener);
	free(self);
}

int release_probe_init(struct probe *self, struct skynet_context *context, const char *parm) {
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	int pair[2];
	look_at_threads();
	skynet_callback(context, self, on_message);
	skynet_harbor_start(context);
	if (strcmp(parm, "harbor") == 0) {
		release_passed();
		skynet_command(context, "ABORT", NULL);
		return 0;
	}
	require(skynet_send(context, 0, 2u << 24 | 1, PTYPE_RESERVED_LUA, 0, (void *)"hi", 2) == 0, "a send to another node");

	memset(&address, 0, sizeof(address));
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	self->listener = socket(AF_INET, SOCK_STREAM, 0);
	require(bind(self->listener, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(self->listener, 1) == 0, "a listener");
	getsockname(self->listener, (struct sockaddr *)&address, &size);
	snprintf(self->name, sizeof(self->name), "127.0.0.1:%d", ntohs(address.sin_port));
	require(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "a pair");
	require(skynet_socket_bind(context, pair[0]) >= 0, "a bound socket");
	self->id = skynet_socket_connect(context, "127.0.0.1", ntohs(address.sin_port));
	return self->id < 0;
}

#ifdef __cplusplus
}
#endif
