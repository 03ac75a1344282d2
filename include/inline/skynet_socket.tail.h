/* Describes sz bytes of skynet_malloc at buffer, or a user object there when sz is negative. */
static inline void sendbuffer_init_(struct socket_sendbuffer *buf, int id, const void *buffer, int sz) {
	buf->id = id;
	buf->type = sz < 0 ? SOCKET_BUFFER_OBJECT : SOCKET_BUFFER_MEMORY;
	buf->buffer = buffer;
	buf->sz = (size_t)sz;
}

#if SKYNET_API_VERSION < 10300
/* Functions of the library once; the names are out of the way of what it still exports for compiled services. */
#define skynet_socket_send skynet_socket_send_v1_0_
#define skynet_socket_send_lowpriority skynet_socket_send_lowpriority_v1_0_
#define skynet_socket_udp_send skynet_socket_udp_send_v1_0_
#endif

#if SKYNET_API_VERSION < 10100
#define SKYNET_LOWPRIORITY_RESULT_ void
#define SKYNET_LOWPRIORITY_RETURN_ (void)
#else
#define SKYNET_LOWPRIORITY_RESULT_ int
#define SKYNET_LOWPRIORITY_RETURN_ return
#endif

/* Sends and takes buffer over, also on failure. 0, or -1 for a socket that is gone. */
static inline int skynet_socket_send(struct skynet_context *ctx, int id, void *buffer, int sz) {
	struct socket_sendbuffer piece;
	sendbuffer_init_(&piece, id, buffer, sz);
	return skynet_socket_sendbuffer(ctx, &piece);
}

/* The same for data that may wait until everything else has been sent. */
static inline SKYNET_LOWPRIORITY_RESULT_ skynet_socket_send_lowpriority(struct skynet_context *ctx, int id, void *buffer, int sz) {
	struct socket_sendbuffer piece;
	sendbuffer_init_(&piece, id, buffer, sz);
	SKYNET_LOWPRIORITY_RETURN_ skynet_socket_sendbuffer_lowpriority(ctx, &piece);
}

/* Sends one packet to address, as skynet_socket_udp_address gives it; NULL for the one that the socket is connected to. */
static inline int skynet_socket_udp_send(struct skynet_context *ctx, int id, const char *address, const void *buffer, int sz) {
	struct socket_sendbuffer piece;
	sendbuffer_init_(&piece, id, buffer, sz);
	return skynet_socket_udp_sendbuffer(ctx, address, &piece);
}

#undef SKYNET_LOWPRIORITY_RESULT_
#undef SKYNET_LOWPRIORITY_RETURN_
