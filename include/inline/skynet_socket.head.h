struct skynet_context;

#if SKYNET_API_VERSION < 10400
/* For the struct socket_info of that time. The library has that function under a name of its own. */
#define skynet_socket_info skynet_socket_info_v1_3
#endif

/* skynet_socket_message.type */
#define SKYNET_SOCKET_TYPE_DATA 1    /* ud = number of bytes at buffer */
#define SKYNET_SOCKET_TYPE_CONNECT 2 /* connected, listening (ud = port) or started; the text is the address */
#define SKYNET_SOCKET_TYPE_CLOSE 3
#define SKYNET_SOCKET_TYPE_ACCEPT 4  /* ud = id of the new socket, which is to be started; the text is its address */
#define SKYNET_SOCKET_TYPE_ERROR 5   /* the text says what is wrong */
#define SKYNET_SOCKET_TYPE_UDP 6     /* ud = number of bytes at buffer; the address is behind them */
#define SKYNET_SOCKET_TYPE_WARNING 7 /* ud = KiB that wait to be sent; 0 when they have been sent */

/*
 * The data of a PTYPE_SOCKET message. buffer is memory of skynet_malloc that the receiver frees. When it is NULL,
 * the text, if there is one, follows this structure up to the end of the message, without a terminating zero.
 */
struct skynet_socket_message {
	int type;
	int id;
	int ud;
	char *buffer;
};
