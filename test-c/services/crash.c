/* Services that crash, each in its own way, in the message with session 7. */
#include "probe.h"
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static volatile int zero;
static int *volatile nowhere;

static int follows_null(void)
{
	return *nowhere;
}

static int divides(void)
{
	return (int)getpid() / zero;
}

static int recurses(volatile char *above)
{
	volatile char block[4096];
	block[0] = above ? above[0] : 0;
	return zero ? 0 : recurses(block) + block[0];
}

static int crash_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	const char *how = ud;
	UNUSED(type), UNUSED(source), UNUSED(msg), UNUSED(sz);
	if (session != 7) {
		skynet_send(ctx, 0, self(ctx), PTYPE_CLIENT, 7, "now", 3);
		return 0;
	}
	if (strcmp(how, "null") == 0)
		return follows_null();
	if (strcmp(how, "divides") == 0)
		return divides();
	if (strcmp(how, "aborts") == 0)
		abort();
	if (strcmp(how, "overflows") == 0)
		return recurses(NULL);
	if (strcmp(how, "killed") == 0)
		kill(getpid(), SIGSEGV);
	return 0;
}

/* A thread of the module's own. */
static void *thread_main(void *unused)
{
	UNUSED(unused);
	return (void *)(long)follows_null();
}

static void handler(int signal)
{
	UNUSED(signal);
	_exit(9);
}

void *crash_create(void)
{
	return calloc(1, 32);
}

int crash_init(void *inst, struct skynet_context *ctx, const char *parm)
{
	char *how = inst;
	snprintf(how, 32, "%s", parm);
	if (strcmp(how, "handled") == 0) {
		signal(SIGSEGV, handler);
		strcpy(how, "null");
	} else if (strcmp(how, "thread") == 0) {
		pthread_t thread;
		return pthread_create(&thread, NULL, thread_main, NULL);
	}
	begin(ctx, crash_cb, inst);
	return 0;
}

void crash_release(void *inst)
{
	free(inst);
}
