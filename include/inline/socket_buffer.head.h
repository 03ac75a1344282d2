/* socket_sendbuffer.type: what becomes of buffer. */
#define SOCKET_BUFFER_MEMORY 0     /* memory of skynet_malloc; the core takes it over */
#define SOCKET_BUFFER_OBJECT 1     /* a user object; the core takes it over, see struct socket_object_interface */
#define SOCKET_BUFFER_RAWPOINTER 2 /* stays with the caller; the core copies what it cannot send at once */

struct socket_sendbuffer {
	int id; /* of the socket */
	int type;
	const void *buffer;
	size_t sz;
};
