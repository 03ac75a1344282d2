/* socket_info.type */
#define SOCKET_INFO_UNKNOWN 0
#define SOCKET_INFO_LISTEN 1
#define SOCKET_INFO_TCP 2
#define SOCKET_INFO_UDP 3
#define SOCKET_INFO_BIND 4
#define SOCKET_INFO_CLOSING 5

/* One socket of a list. */
struct socket_info {
	int id;
	int type;
	uint64_t opaque;  /* handle of the owner */
	uint64_t read;    /* bytes so far; for a listening socket the connections */
	uint64_t write;   /* bytes so far */
	uint64_t rtime;   /* time of the last read, in 1/100 s of skynet_now */
	uint64_t wtime;
	int64_t wbuffer;  /* bytes that wait to be sent */
#if SKYNET_API_VERSION >= 10400
	uint8_t reading;  /* watched for reading */
	uint8_t writing;  /* watched for writing */
#endif
	char name[128];   /* address */
	struct socket_info *next;
};
