/* socket_poll.h on the BSDs and macOS. Include socket_poll.h instead of this file. */
#ifndef poll_socket_kqueue_h
#define poll_socket_kqueue_h

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/event.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#define SKYNET_POLL_BATCH_ 64

/* NetBSD kept an integer for udata until release 10. */
#if defined(__NetBSD__)
#define SKYNET_KQUEUE_UD_(ud) ((intptr_t)(ud))
#else
#define SKYNET_KQUEUE_UD_(ud) (ud)
#endif

static inline bool sp_invalid(int kfd) {
	return kfd < 0;
}

static inline int sp_create(void) {
	return kqueue();
}

static inline void sp_release(int kfd) {
	close(kfd);
}

/* Applies one action to one filter of sock: 0, or 1 when the system refuses. */
static inline int skynet_poll_filter_(int kfd, int sock, int filter, int action, void *ud) {
	struct kevent request;
	EV_SET(&request, sock, filter, action, 0, 0, SKYNET_KQUEUE_UD_(ud));
	return kevent(kfd, &request, 1, NULL, 0, NULL) == -1 ? 1 : 0;
}

static inline void sp_del(int kfd, int sock) {
	(void)skynet_poll_filter_(kfd, sock, EVFILT_READ, EV_DELETE, NULL);
	(void)skynet_poll_filter_(kfd, sock, EVFILT_WRITE, EV_DELETE, NULL);
}

static inline int sp_enable(int kfd, int sock, void *ud, bool read_enable, bool write_enable) {
	int read_failed = skynet_poll_filter_(kfd, sock, EVFILT_READ, read_enable ? EV_ENABLE : EV_DISABLE, ud);
	int write_failed = skynet_poll_filter_(kfd, sock, EVFILT_WRITE, write_enable ? EV_ENABLE : EV_DISABLE, ud);
	return read_failed | write_failed;
}

static inline int sp_add(int kfd, int sock, void *ud) {
	/* Both filters exist from the start, so that sp_enable has something to switch. */
	if (skynet_poll_filter_(kfd, sock, EVFILT_READ, EV_ADD, ud)
		|| skynet_poll_filter_(kfd, sock, EVFILT_WRITE, EV_ADD | EV_DISABLE, ud)) {
		sp_del(kfd, sock);
		return 1;
	}
	return 0;
}

static inline int sp_wait(int kfd, struct event *e, int max) {
	struct kevent found[SKYNET_POLL_BATCH_];
	int count = kevent(kfd, NULL, 0, found, max < SKYNET_POLL_BATCH_ ? max : SKYNET_POLL_BATCH_, NULL);
	for (int at = 0; at < count; at++) {
		bool reading = found[at].filter == EVFILT_READ;
		e[at].s = (void *)found[at].udata;
		e[at].read = reading;
		e[at].write = found[at].filter == EVFILT_WRITE;
		e[at].error = (found[at].flags & EV_ERROR) != 0;
		/* The end of the stream comes on both filters; on the write filter it is an error of the peer's. */
		e[at].eof = reading && (found[at].flags & EV_EOF) != 0;
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
