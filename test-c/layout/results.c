/* Types of results that changed between the releases. */
#include "skynet_socket.h"
#include "socket_server.h"
#include "skynet_server.h"

#ifdef __cplusplus
#include <type_traits>
#define IS(call, type) static_assert(std::is_same<decltype(call), type>::value, #call)
#else
#define IS(call, type) _Static_assert(__builtin_types_compatible_p(__typeof__(call), type), #call)
#endif

#if SKYNET_API_VERSION >= 10100
IS(skynet_socket_send_lowpriority(0, 0, 0, 0), int);
#else
IS(skynet_socket_send_lowpriority(0, 0, 0, 0), void);
#endif

#if SKYNET_API_VERSION >= 10300
IS(socket_server_send(0, 0), int);
IS(socket_server_send_lowpriority(0, 0), int);
IS(socket_server_udp_send(0, 0, 0), int);
#elif SKYNET_API_VERSION >= 10100
IS(socket_server_send(0, 0, 0, 0), int);
IS(socket_server_send_lowpriority(0, 0, 0, 0), int);
IS(socket_server_udp_send(0, 0, 0, 0, 0), int);
#else
IS(socket_server_send(0, 0, 0, 0), int64_t);
IS(socket_server_send_lowpriority(0, 0, 0, 0), void);
IS(socket_server_udp_send(0, 0, 0, 0, 0), int64_t);
#endif

IS(skynet_socket_send(0, 0, 0, 0), int);
IS(skynet_socket_udp_send(0, 0, 0, 0, 0), int);

#if SKYNET_API_VERSION > 10800
IS(skynet_context_new(0, 0), uint32_t);
IS(skynet_context_release(0), void);
#else
IS(skynet_context_new(0, 0), struct skynet_context *);
IS(skynet_context_release(0), struct skynet_context *);
#endif
