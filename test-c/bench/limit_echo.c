/* The least that an echo server can cost: one thread with epoll, a read and a write for each request. No node.
 *
 *   cc -O2 -pthread -o limit_echo limit_echo.c && ./limit_echo port=P [greet=1] [broadcast=1]
 *
 * The arguments are those of `benchecho`. Prints "BENCH ready 1" once it listens. */
#include "base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define MAX_CONNECTIONS 65536

static int broadcast, greet, count, id[MAX_CONNECTIONS];
static char buffer[65536];

/* Waits if the kernel takes no more, which it does with one request under way on each connection. */
static void give(int fd, const char *text, size_t n) {
	while (n > 0) {
		ssize_t put = send(fd, text, n, MSG_NOSIGNAL);
		if (put > 0) {
			text += put;
			n -= (size_t)put;
		} else if (errno == EAGAIN) {
			struct pollfd one = { .fd = fd, .events = POLLOUT };
			poll(&one, 1, -1);
		} else {
			return;
		}
	}
}

static void take_in(int epoll, int listener) {
	int fd, on = 1;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
		if (broadcast && count < MAX_CONNECTIONS)
			id[count++] = fd;
		if (greet)
			give(fd, "!", 1);
	}
}

static void answer(int fd) {
	ssize_t n = recv(fd, buffer, sizeof buffer, 0);
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		close(fd);
		return;
	}
	if (n < 0)
		return;
	if (!broadcast)
		give(fd, buffer, (size_t)n);
	for (int i = 0; broadcast && i < count; i++)
		give(id[i], buffer, (size_t)n);
}

int main(int argc, char **argv) {
	char args[256];
	bench_join(args, sizeof args, argc, argv);
	greet = (int)bench_arg(args, "greet", 0);
	broadcast = (int)bench_arg(args, "broadcast", 0);
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)bench_arg(args, "port", 0)) };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll = epoll_create1(0), on = 1;
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 4096) != 0)
		bench_fail("listen failed");
	struct epoll_event event = { .events = EPOLLIN, .data.fd = listener }, events[256];
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	bench_report("ready", 1);
	for (;;) {
		int n = epoll_wait(epoll, events, 256, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				take_in(epoll, listener);
			else
				answer(events[i].data.fd);
		}
	}
}
