/*
 * Sizes and places of every member that C code shares with the core (x86-64 Linux). A compiled service has these
 * numbers inside, so a difference here is a difference that no compiler will report any more.
 * Compiles as C11 and as C++17; with SKYNET_API_VERSION the members that came later are absent.
 */
#include <stddef.h>
#include <stdint.h>
#include "skynet_api.h"

#ifdef __cplusplus
#define CHECK(what, text) static_assert(what, text)
#define ALIGNMENT(type) alignof(type)
#else
#define CHECK(what, text) _Static_assert(what, text)
#define ALIGNMENT(type) _Alignof(type)
#endif

#define TYPE(type, size, alignment) \
	CHECK(sizeof(type) == (size), "size of " #type); \
	CHECK(ALIGNMENT(type) == (alignment), "alignment of " #type)
#define MEMBER(type, member, offset, size) \
	CHECK(offsetof(type, member) == (offset), "place of " #type "." #member); \
	CHECK(sizeof(((type *)0)->member) == (size), "size of " #type "." #member)


#include "mem_info.h"
TYPE(MemInfo, 32, 8);
MEMBER(MemInfo, alloc, 0, 8);
MEMBER(MemInfo, alloc_count, 8, 8);
MEMBER(MemInfo, free, 16, 8);
MEMBER(MemInfo, free_count, 24, 8);
TYPE(AtomicMemInfo, 128, 64);
MEMBER(AtomicMemInfo, alloc, 0, 8);
MEMBER(AtomicMemInfo, alloc_count, 8, 8);
MEMBER(AtomicMemInfo, free, 64, 8);
MEMBER(AtomicMemInfo, free_count, 72, 8);

#include "rwlock.h"
TYPE(struct rwlock, 8, 4);
MEMBER(struct rwlock, write, 0, 4);
MEMBER(struct rwlock, read, 4, 4);

#include "skynet_harbor.h"
TYPE(struct remote_name, 20, 4);
MEMBER(struct remote_name, name, 0, 16);
MEMBER(struct remote_name, handle, 16, 4);
#if SKYNET_API_VERSION >= 10200
TYPE(struct remote_message, 48, 8);
MEMBER(struct remote_message, type, 40, 4);
#else
TYPE(struct remote_message, 40, 8);
#endif
MEMBER(struct remote_message, destination, 0, 20);
MEMBER(struct remote_message, message, 24, 8);
MEMBER(struct remote_message, sz, 32, 8);

#include "skynet_imp.h"
#if SKYNET_API_VERSION >= 10100
TYPE(struct skynet_config, 56, 8);
MEMBER(struct skynet_config, thread, 0, 4);
MEMBER(struct skynet_config, harbor, 4, 4);
MEMBER(struct skynet_config, profile, 8, 4);
MEMBER(struct skynet_config, daemon, 16, 8);
MEMBER(struct skynet_config, module_path, 24, 8);
MEMBER(struct skynet_config, bootstrap, 32, 8);
MEMBER(struct skynet_config, logger, 40, 8);
MEMBER(struct skynet_config, logservice, 48, 8);
#else
TYPE(struct skynet_config, 48, 8);
MEMBER(struct skynet_config, thread, 0, 4);
MEMBER(struct skynet_config, harbor, 4, 4);
MEMBER(struct skynet_config, daemon, 8, 8);
MEMBER(struct skynet_config, module_path, 16, 8);
MEMBER(struct skynet_config, bootstrap, 24, 8);
MEMBER(struct skynet_config, logger, 32, 8);
MEMBER(struct skynet_config, logservice, 40, 8);
#endif

#include "skynet_module.h"
TYPE(struct skynet_module, 48, 8);
MEMBER(struct skynet_module, name, 0, 8);
MEMBER(struct skynet_module, module, 8, 8);
MEMBER(struct skynet_module, create, 16, 8);
MEMBER(struct skynet_module, init, 24, 8);
MEMBER(struct skynet_module, release, 32, 8);
MEMBER(struct skynet_module, signal, 40, 8);

#include "skynet_mq.h"
TYPE(struct skynet_message, 24, 8);
MEMBER(struct skynet_message, source, 0, 4);
MEMBER(struct skynet_message, session, 4, 4);
MEMBER(struct skynet_message, data, 8, 8);
MEMBER(struct skynet_message, sz, 16, 8);

#include "skynet_socket.h"
TYPE(struct skynet_socket_message, 24, 8);
MEMBER(struct skynet_socket_message, type, 0, 4);
MEMBER(struct skynet_socket_message, id, 4, 4);
MEMBER(struct skynet_socket_message, ud, 8, 4);
MEMBER(struct skynet_socket_message, buffer, 16, 8);

#include "socket_buffer.h"
TYPE(struct socket_sendbuffer, 24, 8);
MEMBER(struct socket_sendbuffer, id, 0, 4);
MEMBER(struct socket_sendbuffer, type, 4, 4);
MEMBER(struct socket_sendbuffer, buffer, 8, 8);
MEMBER(struct socket_sendbuffer, sz, 16, 8);

#include "socket_info.h"
#if SKYNET_API_VERSION >= 10400
TYPE(struct socket_info, 200, 8);
MEMBER(struct socket_info, reading, 56, 1);
MEMBER(struct socket_info, writing, 57, 1);
MEMBER(struct socket_info, name, 58, 128);
MEMBER(struct socket_info, next, 192, 8);
#else
TYPE(struct socket_info, 192, 8);
MEMBER(struct socket_info, name, 56, 128);
MEMBER(struct socket_info, next, 184, 8);
#endif
MEMBER(struct socket_info, id, 0, 4);
MEMBER(struct socket_info, type, 4, 4);
MEMBER(struct socket_info, opaque, 8, 8);
MEMBER(struct socket_info, read, 16, 8);
MEMBER(struct socket_info, write, 24, 8);
MEMBER(struct socket_info, rtime, 32, 8);
MEMBER(struct socket_info, wtime, 40, 8);
MEMBER(struct socket_info, wbuffer, 48, 8);

#include "socket_poll.h"
TYPE(struct event, 16, 8);
MEMBER(struct event, s, 0, 8);
MEMBER(struct event, read, 8, 1);
MEMBER(struct event, write, 9, 1);
MEMBER(struct event, error, 10, 1);
MEMBER(struct event, eof, 11, 1);

#include "socket_server.h"
TYPE(struct socket_message, 32, 8);
MEMBER(struct socket_message, id, 0, 4);
MEMBER(struct socket_message, opaque, 8, 8);
MEMBER(struct socket_message, ud, 16, 4);
MEMBER(struct socket_message, data, 24, 8);
TYPE(struct socket_object_interface, 24, 8);
MEMBER(struct socket_object_interface, buffer, 0, 8);
MEMBER(struct socket_object_interface, size, 8, 8);
MEMBER(struct socket_object_interface, free, 16, 8);

#include "spinlock.h"
TYPE(struct spinlock, 4, 4);
MEMBER(struct spinlock, lock, 0, 4);
