#if SKYNET_API_VERSION < 10200
static inline struct socket_server *socket_server_create_v1_0_(void) {
	return socket_server_create(0);
}
#define socket_server_create socket_server_create_v1_0_
#endif

#if SKYNET_API_VERSION < 10300
/* The buffer used to come in pieces. In v1.0.0 the result was the number of bytes that wait, which is not known any more. */
static inline struct socket_sendbuffer socket_server_piece_v1_0_(int id, const void *buffer, int sz) {
	struct socket_sendbuffer piece;
	piece.id = id;
	piece.type = sz < 0 ? SOCKET_BUFFER_OBJECT : SOCKET_BUFFER_MEMORY;
	piece.buffer = buffer;
	piece.sz = (size_t)sz;
	return piece;
}

#if SKYNET_API_VERSION < 10100
#define SKYNET_SEND_RESULT_ int64_t
#define SKYNET_LOWPRIORITY_RESULT_ void
#define SKYNET_LOWPRIORITY_RETURN_ (void)
#else
#define SKYNET_SEND_RESULT_ int
#define SKYNET_LOWPRIORITY_RESULT_ int
#define SKYNET_LOWPRIORITY_RETURN_ return
#endif

static inline SKYNET_SEND_RESULT_ socket_server_send_v1_0_(struct socket_server *ss, int id, const void *buffer, int sz) {
	struct socket_sendbuffer piece = socket_server_piece_v1_0_(id, buffer, sz);
	return socket_server_send(ss, &piece);
}

static inline SKYNET_LOWPRIORITY_RESULT_ socket_server_send_lowpriority_v1_0_(struct socket_server *ss, int id, const void *buffer, int sz) {
	struct socket_sendbuffer piece = socket_server_piece_v1_0_(id, buffer, sz);
	SKYNET_LOWPRIORITY_RETURN_ socket_server_send_lowpriority(ss, &piece);
}

static inline SKYNET_SEND_RESULT_ socket_server_udp_send_v1_0_(struct socket_server *ss, int id, const struct socket_udp_address *address, const void *buffer, int sz) {
	struct socket_sendbuffer piece = socket_server_piece_v1_0_(id, buffer, sz);
	return socket_server_udp_send(ss, address, &piece);
}

#undef SKYNET_SEND_RESULT_
#undef SKYNET_LOWPRIORITY_RESULT_
#undef SKYNET_LOWPRIORITY_RETURN_

#define socket_server_send socket_server_send_v1_0_
#define socket_server_send_lowpriority socket_server_send_lowpriority_v1_0_
#define socket_server_udp_send socket_server_udp_send_v1_0_
#endif
