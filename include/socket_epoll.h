/* socket_poll.h on Linux. Include socket_poll.h instead of this file. */
#ifndef poll_socket_epoll_h
#define poll_socket_epoll_h

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

/* Events fetched by one system call; a longer array of the caller just takes another call of sp_wait. */
#define SKYNET_POLL_BATCH_ 64

static inline bool sp_invalid(int efd) {
	return efd < 0;
}

static inline int sp_create(void) {
	return epoll_create1(EPOLL_CLOEXEC);
}

static inline void sp_release(int efd) {
	close(efd);
}

static inline int skynet_poll_control_(int efd, int operation, int sock, void *ud, uint32_t interest) {
	struct epoll_event request;
	request.events = interest;
	request.data.ptr = ud;
	return epoll_ctl(efd, operation, sock, &request) == 0 ? 0 : 1;
}

static inline int sp_add(int efd, int sock, void *ud) {
	return skynet_poll_control_(efd, EPOLL_CTL_ADD, sock, ud, EPOLLIN);
}

static inline void sp_del(int efd, int sock) {
	/* The structure is ignored, but kernels before 2.6.9 want one. */
	(void)skynet_poll_control_(efd, EPOLL_CTL_DEL, sock, 0, 0);
}

static inline int sp_enable(int efd, int sock, void *ud, bool read_enable, bool write_enable) {
	uint32_t interest = 0;
	if (read_enable) {
		interest |= EPOLLIN;
	}
	if (write_enable) {
		interest |= EPOLLOUT;
	}
	return skynet_poll_control_(efd, EPOLL_CTL_MOD, sock, ud, interest);
}

static inline int sp_wait(int efd, struct event *e, int max) {
	struct epoll_event found[SKYNET_POLL_BATCH_];
	int count = epoll_wait(efd, found, max < SKYNET_POLL_BATCH_ ? max : SKYNET_POLL_BATCH_, -1);
	for (int at = 0; at < count; at++) {
		uint32_t state = found[at].events;
		e[at].s = found[at].data.ptr;
		e[at].read = state & EPOLLIN;
		e[at].write = state & EPOLLOUT;
		e[at].error = state & EPOLLERR;
		e[at].eof = state & EPOLLHUP;
	}
	return count;
}

static inline void sp_nonblocking(int fd) {
	int mode = fcntl(fd, F_GETFL);
	if (mode != -1) {
		(void)fcntl(fd, F_SETFL, mode | O_NONBLOCK);
	}
}

#endif
