/* A handle: the node's harbor id in the high 8 bits, the service's number within the node in the low 24. */
#define HANDLE_MASK 0xffffff
#define HANDLE_REMOTE_SHIFT 24

struct skynet_context;
