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
	/* Type of the message. Before v1.2.0 it was the type under which the harbor service got this structure, and for
	 * skynet_harbor_send it was in the high 8 bits of sz. */
	int type;
#endif
};

#if SKYNET_API_VERSION < 10200
/* For the struct remote_message of that time. The library has these functions under names of their own. */
#define skynet_harbor_start skynet_harbor_start_v1_1
#define skynet_harbor_send skynet_harbor_send_v1_1
#endif
