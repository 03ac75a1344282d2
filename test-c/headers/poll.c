/* The polling functions on a pair of sockets. Exit code 0 = they report what happened and nothing else. */
#include "socket_poll.h"

#define CHECK(what) do { if (!(what)) { return __LINE__; } } while (0)

int main(void) {
	int pair[2], name;
	struct event events[4];
	char byte;
	poll_fd poll = sp_create();
	CHECK(!sp_invalid(poll));
	CHECK(sp_invalid(-1));
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	sp_nonblocking(pair[0]);
	CHECK(read(pair[0], &byte, 1) == -1);
	CHECK(sp_add(poll, pair[0], &name) == 0);

	CHECK(write(pair[1], "x", 1) == 1);
	CHECK(sp_wait(poll, events, 4) == 1);
	CHECK(events[0].s == &name && events[0].read && !events[0].write && !events[0].error && !events[0].eof);

	/* The byte is still there, but only writing is asked for. */
	CHECK(sp_enable(poll, pair[0], pair, false, true) == 0);
	CHECK(sp_wait(poll, events, 4) == 1);
	CHECK(events[0].s == pair && !events[0].read && events[0].write);

	CHECK(sp_enable(poll, pair[0], pair, true, false) == 0);
	close(pair[1]);
	CHECK(sp_wait(poll, events, 4) == 1);
	CHECK(events[0].read && events[0].eof);

	sp_del(poll, pair[0]);
	CHECK(sp_enable(poll, pair[0], pair, true, false) == 1);
	close(pair[0]);
	sp_release(poll);
	return 0;
}
