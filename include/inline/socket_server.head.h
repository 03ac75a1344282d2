/* What socket_server_poll answers. */
#define SOCKET_DATA 0
#define SOCKET_CLOSE 1
#define SOCKET_OPEN 2
#define SOCKET_ACCEPT 3
#define SOCKET_ERR 4
#define SOCKET_EXIT 5
#define SOCKET_UDP 6
#define SOCKET_WARNING 7
/* Between the socket server and skynet_socket_poll only. */
#define SOCKET_RST 8
#define SOCKET_MORE 9
#if SKYNET_API_VERSION < 10100
#define SOCKET_ERROR SOCKET_ERR
#endif

struct socket_server;
struct socket_udp_address;

#if SKYNET_API_VERSION < 10400
/* For the struct socket_info of that time. The library has that function under a name of its own. */
#define socket_server_info socket_server_info_v1_3
#endif

struct socket_message {
	int id;
	uintptr_t opaque; /* what the socket was opened with: the handle of its owner */
	int ud;           /* accept: id of the new socket; data: number of bytes */
	char *data;
};

/* How the core handles SOCKET_BUFFER_OBJECT: where the bytes of an object are, how many, and how it is released. */
struct socket_object_interface {
#if SKYNET_API_VERSION >= 10300
	const void *(*buffer)(const void *);
	size_t (*size)(const void *);
#else
	void *(*buffer)(void *);
	int (*size)(void *);
#endif
	void (*free)(void *);
};
