/* Message types. Only the low 8 bits of a type travel with a message. */
#define PTYPE_TEXT 0
#define PTYPE_RESPONSE 1
#define PTYPE_MULTICAST 2
#define PTYPE_CLIENT 3
#define PTYPE_SYSTEM 4
#define PTYPE_HARBOR 5
#define PTYPE_SOCKET 6
#define PTYPE_ERROR 7
/* Used by the Lua layer; the core only carries them. */
#define PTYPE_RESERVED_QUEUE 8
#define PTYPE_RESERVED_DEBUG 9
#define PTYPE_RESERVED_LUA 10
#define PTYPE_RESERVED_SNAX 11

/* Added to the type of a send: the core takes msg over (and frees it when the send fails) instead of copying it. */
#define PTYPE_TAG_DONTCOPY 0x10000
/* Added to the type of a send: the core makes up a session and returns it; the session argument has to be 0. */
#define PTYPE_TAG_ALLOCSESSION 0x20000

/* A service. */
struct skynet_context;

/*
 * Receives the messages of a service, one at a time. With 0 the core frees msg afterwards; with anything else
 * the service has taken msg over and frees it with skynet_free. ud is what skynet_callback was given.
 */
typedef int (*skynet_cb)(struct skynet_context *context, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz);
