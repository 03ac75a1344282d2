/*
 * Threads of the node that get no time: a handler of ours stops one until it is let go, and all others must go on.
 * In one piece, as all scenarios stop threads by the same handler and look at the same services.
 */
#include "probe.h"
#include <skynet_socket.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define STOP (SIGRTMIN + 3)
#define PAIRS 8
/* A stopped worker may have two services in its hand, so there are three of each sort. */
#define EACH 3
#define MOST 16

/* Stopping a thread. */
static atomic_int stopped, missed, go;
static int anywhere;

/* Whether the thread sleeps in the kernel: it has been interrupted behind a system call that says so. */
static int sleeps(const void *context)
{
#ifdef __x86_64__
	const greg_t *registers = ((const ucontext_t *)context)->uc_mcontext.gregs;
	const unsigned char *next = (const unsigned char *)registers[REG_RIP];
	return registers[REG_RAX] == -EINTR && next[-2] == 0x0f && next[-1] == 0x05;
#else
	UNUSED(context);
	return 1;
#endif
}

static void stop_here(int number, siginfo_t *info, void *context)
{
	int saved = errno;
	UNUSED(number), UNUSED(info);
	if (anywhere || sleeps(context)) {
		int until = atomic_load(&go);
		atomic_fetch_add(&stopped, 1);
		while (atomic_load(&go) == until)
			syscall(SYS_futex, &go, FUTEX_WAIT, until, NULL);
		atomic_fetch_sub(&stopped, 1);
	} else {
		atomic_fetch_add(&missed, 1);
	}
	errno = saved;
}

static void pause_for(int micros)
{
	usleep(micros);
}

/* Stops the thread where it sleeps, or wherever it is. */
static void stop(int thread, int where)
{
	int before = atomic_load(&stopped);
	anywhere = where;
	while (atomic_load(&stopped) == before) {
		int misses = atomic_load(&missed);
		syscall(SYS_tgkill, getpid(), thread, STOP);
		while (atomic_load(&stopped) == before && atomic_load(&missed) == misses)
			pause_for(20);
		pause_for(atomic_load(&stopped) == before ? 100 : 0);
	}
}

static void let_go(void)
{
	atomic_fetch_add(&go, 1);
	syscall(SYS_futex, &go, FUTEX_WAKE, MOST, NULL);
	while (atomic_load(&stopped) != 0)
		pause_for(20);
}

/* The threads whose names begin so. */
static int threads(const char *name, int *ids)
{
	int count = 0;
	DIR *tasks = opendir("/proc/self/task");
	for (struct dirent *task; (task = readdir(tasks)) != NULL && count < MOST;) {
		char path[300], line[32] = "";
		snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
		FILE *file = fopen(path, "r");
		if (file == NULL)
			continue;
		if (fgets(line, sizeof line, file) && strncmp(line, name, strlen(name)) == 0)
			ids[count++] = atoi(task->d_name);
		fclose(file);
	}
	closedir(tasks);
	return count;
}

/* Services that count what they do. */
static struct skynet_context *first;
static uint32_t poke_handles[EACH], hog_handle, echo_handle;
static atomic_long ticks, pokes, rounds, turns[PAIRS];
static atomic_int hog_thread, hog_sends, hog_ends;
static atomic_int port;

static void poke(struct skynet_context *ctx)
{
	for (int i = 0; i < EACH; i++)
		skynet_send(ctx, 0, poke_handles[i], PTYPE_TEXT, 0, NULL, 0);
}

static int tick_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	atomic_fetch_add(&ticks, 1);
	skynet_command(ctx, "TIMEOUT", "1");
	return 0;
}

static int ticker(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	begin(ctx, tick_cb, NULL);
	return 0;
}

static int poke_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ctx), UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	atomic_fetch_add(&pokes, 1);
	return 0;
}

static int poked(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, poke_cb);
	return 0;
}

/* Timers of one tick, again and again: each has to come behind the one that was set before it. */
#define WAVE 20000
static uint32_t wave_handle;
static atomic_long fired;
static atomic_int misordered;

static int wave_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	static int last;
	UNUSED(ud), UNUSED(source), UNUSED(msg), UNUSED(sz);
	if (type != PTYPE_RESPONSE) {
		for (int i = 0; i < WAVE; i++)
			skynet_command(ctx, "TIMEOUT", "5");
		return 0;
	}
	if (session != last + 1)
		atomic_fetch_add(&misordered, 1);
	last = session;
	atomic_fetch_add(&fired, 1);
	return 0;
}

static int wave(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, wave_cb);
	return 0;
}

/* A message back and forth. */
static int pair_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(type), UNUSED(msg), UNUSED(sz);
	atomic_fetch_add((atomic_long *)ud, 1);
	skynet_send(ctx, 0, source, PTYPE_TEXT, session, "0123456789abcdef", 16);
	return 0;
}

static int pair(struct skynet_context *ctx, const char *args)
{
	skynet_callback(ctx, &turns[atoi(args)], pair_cb);
	return 0;
}

/* One long message, in which it sends when it is asked to; or one in which it stops after it has sent. */
static int hog_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(source), UNUSED(msg), UNUSED(sz);
	if (session == 1) {
		/* The last two go where the worker runs next, the others behind that. */
		for (int i = 0; i < 3; i++) {
			poke(ctx);
			skynet_send(ctx, 0, echo_handle, PTYPE_TEXT, 0, NULL, 0);
		}
		anywhere = 1;
		syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), STOP);
		return 0;
	}
	atomic_store(&hog_thread, (int)syscall(SYS_gettid));
	while (!atomic_load(&hog_ends))
		if (atomic_exchange(&hog_sends, 0))
			poke(ctx);
	atomic_store(&hog_thread, 0);
	return 0;
}

static int hog(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, hog_cb);
	return 0;
}

static int echo_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(session), UNUSED(source), UNUSED(sz);
	if (type != PTYPE_SOCKET)
		return 0;
	const struct skynet_socket_message *message = msg;
	switch (message->type) {
	case SKYNET_SOCKET_TYPE_CONNECT:
		if (message->ud != 0)
			atomic_store(&port, message->ud);
		break;
	case SKYNET_SOCKET_TYPE_ACCEPT:
		skynet_socket_start(ctx, message->ud);
		break;
	case SKYNET_SOCKET_TYPE_DATA:
		skynet_socket_send(ctx, message->id, message->buffer, message->ud);
		break;
	}
	return 0;
}

static int echo(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, echo_cb);
	int id = skynet_socket_listen(ctx, "127.0.0.1", 0, 16);
	skynet_socket_start(ctx, id);
	return 0;
}

/* The other end of a connection. */
static int dial(void)
{
	while (atomic_load(&port) == 0)
		pause_for(100);
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(atomic_load(&port)) };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		FACT(NULL, "connect: %s", strerror(errno));
	return fd;
}

static void round_trip(int fd)
{
	char block[64] = "";
	if (write(fd, block, sizeof block) != sizeof block)
		FACT(NULL, "write: %s", strerror(errno));
	for (size_t got = 0; got < sizeof block;) {
		ssize_t n = read(fd, block, sizeof block - got);
		if (n <= 0 && errno != EINTR) {
			FACT(NULL, "read: %s", strerror(errno));
			return;
		}
		got += n > 0 ? (size_t)n : 0;
	}
	atomic_fetch_add(&rounds, 1);
}

static atomic_int client_ends;

static void *client(void *arg)
{
	UNUSED(arg);
	pthread_setname_np(pthread_self(), "client");
	int fd = dial();
	while (!atomic_load(&client_ends))
		round_trip(fd);
	close(fd);
	return NULL;
}

/* Microseconds that a thread which has stopped anywhere may still keep others waiting; negative: it must not at all. */
static long patience = -1;

/* Pauses. Whether there is any use in looking again. */
static int look_again(int micros)
{
	pause_for(micros);
	if (patience > 0)
		patience = patience > micros ? patience - micros : 0;
	return patience != 0;
}

static void await_more(atomic_long *counter, long more)
{
	long until = atomic_load(counter) + more;
	while (atomic_load(counter) < until && look_again(200))
		;
}

/* Timers, wake-ups and sockets; but those in the hand of a worker that has stopped anywhere. */
static void all_goes_on(int fd)
{
	await_more(&ticks, 3);
	for (int i = 0; i < 3; i++) {
		long until = atomic_load(&pokes) + (fd < 0 ? 1 : EACH);
		poke(first);
		while (atomic_load(&pokes) < until && look_again(50))
			;
	}
	for (int i = 0; i < 3 && fd >= 0; i++)
		round_trip(fd);
}

/* What happens in a thread that is none of the node's. */
static void stops_of(const char *name, int fd, int times)
{
	int ids[MOST], count = threads(name, ids);
	for (int i = 0; i < times * count; i++) {
		stop(ids[i % count], 0);
		all_goes_on(fd);
		let_go();
	}
}

/* Nothing to do but a timer now and then. */
static void asleep(int fd)
{
	stops_of("worker", fd, 4);
}

/* The signal that ends the process comes while a thread does not run, for ever. */
static void ends_without(const char *name)
{
	int ids[MOST];
	if (threads(name, ids) == 1) {
		stop(ids[0], 0);
		kill(getpid(), SIGTERM);
	}
	for (;;)
		pause();
}

static void ends_without_timer(int fd)
{
	UNUSED(fd);
	ends_without("timer");
}

static void ends_without_monitor(int fd)
{
	UNUSED(fd);
	ends_without("monitor");
}

/* The socket thread, in its wait: with no other work, and with requests as fast as they are answered. */
static void sockets(int fd)
{
	pthread_t thread;
	int id;
	threads("socket", &id);
	stops_of("socket", fd, 4);
	pthread_create(&thread, NULL, client, NULL);
	await_more(&rounds, 100);
	/* Workers poll, so the socket thread stands by. */
	stop(id, 0);
	await_more(&rounds, 100);
	all_goes_on(fd);
	let_go();
	atomic_store(&client_ends, 1);
	pthread_join(thread, NULL);
}

/* The timer thread, the monitor thread, and each of them with a worker. */
static void others(int fd)
{
	int ids[MOST], one[MOST], count = threads("worker", ids);
	const char *names[] = { "timer", "monitor" };
	for (int i = 0; i < 2; i++) {
		stops_of(names[i], fd, 2);
		threads(names[i], one);
		for (int k = 0; k < count; k++) {
			stop(one[0], 0);
			stop(ids[k], 0);
			all_goes_on(fd);
			let_go();
		}
	}
}

static void in_turn(int fd)
{
	for (int i = 0; i < 4; i++) {
		long until = atomic_load(&pokes) + 3 * EACH;
		skynet_send(first, 0, hog_handle, PTYPE_TEXT, 1, NULL, 0);
		while (atomic_load(&stopped) == 0)
			pause_for(20);
		/* It stopped after it had sent these. */
		while (atomic_load(&pokes) < until)
			pause_for(50);
		all_goes_on(fd);
		let_go();
	}
}

/* One worker is in a long message, another watches it and is stopped: a third takes what the first makes ready. */
static void watching(int fd)
{
	int ids[MOST], count = threads("worker", ids);
	for (int i = 0; i < 2; i++) {
		atomic_store(&hog_ends, 0);
		skynet_send(first, 0, hog_handle, PTYPE_TEXT, 0, NULL, 0);
		while (atomic_load(&hog_thread) == 0)
			pause_for(20);
		for (int k = 0; k < count; k++) {
			if (ids[k] == atomic_load(&hog_thread))
				continue;
			stop(ids[k], 0);
			for (int n = 0; n < 3; n++) {
				long until = atomic_load(&pokes) + EACH;
				atomic_store(&hog_sends, 1);
				while (atomic_load(&pokes) < until)
					pause_for(50);
			}
			all_goes_on(fd);
			let_go();
		}
		atomic_store(&hog_ends, 1);
		while (atomic_load(&hog_thread) != 0)
			pause_for(20);
	}
}

/* Requests come as fast as they are answered, so that workers wait for them. */
static void polling(int fd)
{
	int ids[MOST], count = threads("worker", ids);
	pthread_t thread;
	pthread_create(&thread, NULL, client, NULL);
	for (int i = 0; i < 6 * count; i++) {
		await_more(&rounds, 100);
		stop(ids[i % count], 0);
		await_more(&rounds, 20);
		all_goes_on(fd);
		let_go();
	}
	atomic_store(&client_ends, 1);
	pthread_join(thread, NULL);
}

/*
 * Under load a worker stops between any two instructions. What it has in its hand is two services at most. There are locks of a few
 * instructions, of timers and of the allocator, which keep out who needs them as long as their holder stops: at most one of the stops.
 */
static void busy(int fd)
{
	int ids[MOST], count = threads("worker", ids), under_lock = 0, used = 0, going;
	char waited[8 * 120] = "";
	UNUSED(fd);
	for (int i = 0; i < 6 * count; i++) {
		long before[PAIRS];
		await_more(&ticks, 1);
		stop(ids[i % count], 1);
		for (int k = 0; k < PAIRS; k++)
			before[k] = atomic_load(&turns[k]);
		patience = 3000000;
		for (going = 0; going < PAIRS - 2 && look_again(100);) {
			going = 0;
			for (int k = 0; k < PAIRS; k++)
				going += atomic_load(&turns[k]) > before[k] + 2;
		}
		long ticked = atomic_load(&ticks), poked = atomic_load(&pokes);
		all_goes_on(-1);
		if (patience == 0 && under_lock++ < 8)
			used += sprintf(waited + used, "; stop %d: %d pairs, %ld ticks, %ld pokes", i, going, atomic_load(&ticks) - ticked,
				atomic_load(&pokes) - poked);
		patience = -1;
		let_go();
	}
	if (under_lock > 1)
		FACT(NULL, "%d of %d stops kept others waiting%s", under_lock, 6 * count, waited);
}

/*
 * A service gets many timers of one tick, and the threads that deliver them stop in the middle of it, but for one worker and the
 * monitor thread: timers of others go on, its own keep their order. A thread that stops for a second is given up, so rounds that take
 * that long, as the machine is busy or a thread has stopped under a lock, show nothing.
 */
static void delivering(int fd)
{
	int ids[MOST], timer, count = threads("worker", ids);
	UNUSED(fd);
	threads("timer", &timer);
	for (int i = 0; i < 4 * count; i++) {
		int before = atomic_load(&misordered);
		uint64_t start = skynet_now();
		skynet_send(first, 0, wave_handle, PTYPE_TEXT, 0, NULL, 0);
		while (atomic_load(&fired) == i * WAVE)
			pause_for(20);
		stop(timer, 1);
		for (int k = 0; k < count; k++)
			if (k != i % count)
				stop(ids[k], 1);
		patience = 100000;
		all_goes_on(-1);
		patience = -1;
		let_go();
		while (atomic_load(&fired) != (i + 1) * WAVE)
			pause_for(200);
		if (atomic_load(&misordered) != before && skynet_now() - start < 100)
			FACT(NULL, "timers came in another order");
	}
}

static const struct {
	const char *name;
	void (*run)(int fd);
} scenarios[] = {
	{"asleep", asleep}, {"others", others}, {"sockets", sockets}, {"in_turn", in_turn}, {"watching", watching}, {"polling", polling}, {"busy", busy},
	{"delivering", delivering}, {"ends_without_timer", ends_without_timer}, {"ends_without_monitor", ends_without_monitor},
};

static void *direct(void *arg)
{
	const char *name = arg;
	/* A new thread has the name of the worker that made it. */
	pthread_setname_np(pthread_self(), "director");
	struct sigaction action = { .sa_sigaction = stop_here, .sa_flags = SA_SIGINFO };
	sigaction(STOP, &action, NULL);
	int fd = dial();
	all_goes_on(fd);
	for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++)
		if (strcmp(scenarios[i].name, name) == 0)
			scenarios[i].run(fd);
	FACT(NULL, "all went on");
	DONE(NULL);
	return NULL;
}

static int main_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	char *name = ud;
	UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	first = ctx;
	for (int i = 0; i < EACH; i++) {
		poke_handles[i] = handle_of(skynet_command(ctx, "LAUNCH", "stall poked"));
		skynet_command(ctx, "LAUNCH", "stall ticker");
	}
	echo_handle = handle_of(skynet_command(ctx, "LAUNCH", "stall echo"));
	hog_handle = handle_of(skynet_command(ctx, "LAUNCH", "stall hog"));
	wave_handle = handle_of(skynet_command(ctx, "LAUNCH", "stall wave"));
	for (int i = 0; strcmp(name, "busy") == 0 && i < PAIRS; i++) {
		char line[32];
		snprintf(line, sizeof line, "stall pair %d", i);
		uint32_t a = handle_of(skynet_command(ctx, "LAUNCH", line));
		uint32_t b = handle_of(skynet_command(ctx, "LAUNCH", line));
		skynet_send(ctx, a, b, PTYPE_TEXT, 1, "0123456789abcdef", 16);
	}
	pthread_t thread;
	pthread_create(&thread, NULL, direct, name);
	pthread_detach(thread);
	skynet_callback(ctx, NULL, NULL);
	return 0;
}

static int direct_role(struct skynet_context *ctx, const char *args)
{
	begin(ctx, main_cb, strdup(args));
	return 0;
}

int stall_init(void *inst, struct skynet_context *ctx, const char *parm)
{
	static const struct role roles[] = {
		{"stops", direct_role}, {"ticker", ticker}, {"poked", poked}, {"pair", pair}, {"hog", hog}, {"echo", echo},
		{"wave", wave}, {NULL, NULL},
	};
	UNUSED(inst);
	return play(roles, ctx, parm);
}
