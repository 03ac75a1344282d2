/*
 * Readiness of sockets behind one small interface: epoll on Linux, kqueue on the BSDs and macOS.
 * Everything is static: a file that includes this header has its own copy. The core itself does not use it;
 * it is here for code that polls descriptors of its own through these names.
 */
#ifndef socket_poll_h
#define socket_poll_h

#include <stdbool.h>
#include "skynet_api.h"

typedef int poll_fd;

/* What sp_wait found out about one socket. */
struct event {
	void *s;    /* the ud of sp_add, or of the last sp_enable */
	bool read;  /* bytes, a connection or the end of the stream can be read */
	bool write; /* there is room in the send buffer, or a connect has ended */
	bool error;
	bool eof;
};

/* An efd that sp_create could not make. */
static inline bool sp_invalid(poll_fd fd);
static inline poll_fd sp_create(void);
static inline void sp_release(poll_fd fd);
/* Watches sock for reading. 0, or 1 when the system refuses. */
static inline int sp_add(poll_fd fd, int sock, void *ud);
static inline void sp_del(poll_fd fd, int sock);
/* Chooses what sock is watched for. 0, or 1 when the system refuses. */
static inline int sp_enable(poll_fd fd, int sock, void *ud, bool read_enable, bool write_enable);
/* Blocks until something happens; the number of entries of e that are filled in, at most max, or -1 with errno set. */
static inline int sp_wait(poll_fd fd, struct event *e, int max);
static inline void sp_nonblocking(int sock);

#if SKYNET_API_VERSION < 10500
/* Up to v1.4.0 reading was always on. */
static inline void sp_write(poll_fd fd, int sock, void *ud, bool enable) {
	(void)sp_enable(fd, sock, ud, true, enable);
}
#endif

#ifdef __linux__
#include "socket_epoll.h"
#endif

#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__NetBSD__)
#include "socket_kqueue.h"
#endif

#endif
