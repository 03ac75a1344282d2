/* skynet_message.sz holds the size of the data in the low bits and the type of the message in the high 8. */
#define MESSAGE_TYPE_MASK (SIZE_MAX >> 8)
#define MESSAGE_TYPE_SHIFT ((sizeof(size_t) - 1) * 8)

struct skynet_message {
	uint32_t source; /* handle of the sender; 0 for timers, sockets and signals */
	int session;
	void *data;      /* memory of skynet_malloc, or NULL */
	size_t sz;
};

/* The mailbox of one service. */
struct message_queue;

/* Called for each message that nobody will receive any more; it frees the data. */
typedef void (*message_drop)(struct skynet_message *, void *);
