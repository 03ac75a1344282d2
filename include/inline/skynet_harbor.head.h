/* Bytes of a global name; one of full length has no terminating zero. */
#define GLOBALNAME_LENGTH 16
/* Nodes of one harbor network. */
#define REMOTE_MAX 256

struct remote_name {
	char name[GLOBALNAME_LENGTH];
	uint32_t handle;
};

/*
 * What the core hands to the harbor service for a destination on another node. The message is on the harbor
 * service's account then; destination.handle is 0 when only the name is known.
 */
struct remote_message {
	struct remote_name destination;
	const void *message;
	size_t sz;
#if SKYNET_API_VERSION >= 10200
	/* Type of the message. Before v1.2.0 it was the type under which the harbor service got this structure. */
	int type;
#endif
};
