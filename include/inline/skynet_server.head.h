struct skynet_context;
struct skynet_message;
struct skynet_monitor;
struct message_queue;

#if SKYNET_API_VERSION <= 10800
/* Up to v1.8.0 it returned the service, not its handle. The library has that function under a name of its own. */
#define skynet_context_new skynet_context_new_ptr
#endif
