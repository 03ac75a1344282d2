/* The functions below skynet.h, which some C services call: contexts, handles, mailboxes, the environment, memory. */
#include "probe.h"
#include <skynet_env.h>
#include <skynet_handle.h>
#include <skynet_harbor.h>
#include <skynet_mq.h>
#include <skynet_server.h>
#include <skynet_socket.h>
#include <skynet_timer.h>

/* malloc_hook.h needs a lua.h. */
size_t malloc_used_memory(void);
size_t malloc_memory_block(void);
size_t malloc_current_memory(void);
void dump_c_mem(void);
void *skynet_lalloc(void *ptr, size_t osize, size_t nsize);

static int dump_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud);
	FACT(ctx, "type %d session %d source %x <%.*s>", type, session, source, (int)sz, (const char *)msg);
	if (session == 9)
		DONE(ctx);
	return 0;
}

static int before_new;

/* Whoever drops the last reference of a service releases it; that may be a worker, a moment later. */
static int released_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	if (session != 10)
		return dump_cb(ctx, ud, type, session, source, msg, sz);
	if (skynet_context_total() > before_new) {
		skynet_timeout(self(ctx), 1, 10);
	} else {
		FACT(ctx, "released");
		skynet_context_send(ctx, strdup("sent"), 4, 0x66, PTYPE_RESPONSE, 9);
	}
	return 0;
}

static int harbors_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	FACT(ctx, "%d more", skynet_context_total() - before_new);
	DONE(ctx);
	return 0;
}

static int contexts(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, released_cb);
	FACT(ctx, "handle %x", skynet_context_handle(ctx));
	FACT(ctx, "session %d", skynet_context_newsession(ctx));
	FACT(ctx, "session %d", skynet_send(ctx, 0, 0, PTYPE_TAG_ALLOCSESSION, 0, NULL, 0));
	int total = skynet_context_total();
	uint32_t other = skynet_context_new("direct", "quiet");
	FACT(ctx, "new %x, %d more", other, skynet_context_total() - total);
	FACT(ctx, "new without a module %x", skynet_context_new("nosuch", NULL));
	struct skynet_context *grabbed = skynet_handle_grab(other);
	FACT(ctx, "grab %x", skynet_context_handle(grabbed));
	FACT(ctx, "retire %d", skynet_handle_retire(other));
	FACT(ctx, "retire %d", skynet_handle_retire(other));
	FACT(ctx, "grab of the dead %d", skynet_handle_grab(other) != NULL);
	skynet_context_release(grabbed);
	before_new = total;
	skynet_timeout(self(ctx), 1, 10);

	struct skynet_message message = {0x77, 8, strdup("pushed"), 6 | (size_t)PTYPE_CLIENT << MESSAGE_TYPE_SHIFT};
	FACT(ctx, "push %d", skynet_context_push(skynet_context_handle(ctx), &message));
	FACT(ctx, "push to the dead %d", skynet_context_push(other, &message));
	return 0;
}

/* Two harbor services, one after the other: neither keeps the node up, and the first is counted once. */
static int harbors(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	int total = skynet_context_total();
	uint32_t handle[2];
	for (int i = 0; i < 2; i++) {
		handle[i] = skynet_context_new("direct", "quiet");
		struct skynet_context *harbor = skynet_handle_grab(handle[i]);
		skynet_harbor_start(harbor);
		skynet_harbor_start(harbor);
		skynet_context_release(harbor);
		FACT(ctx, "%d more", skynet_context_total() - total);
	}
	FACT(ctx, "retire %d", skynet_handle_retire(handle[0]));
	skynet_callback(ctx, NULL, harbors_cb);
	before_new = total;
	skynet_timeout(self(ctx), 10, 11);
	return 0;
}

static int quiet(struct skynet_context *ctx, const char *args)
{
	UNUSED(ctx), UNUSED(args);
	return 0;
}

static int names(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	uint32_t me = skynet_context_handle(ctx);
	FACT(ctx, "name %s", text(skynet_handle_namehandle(me, "direct")));
	FACT(ctx, "name %s", text(skynet_handle_namehandle(1, "direct")));
	FACT(ctx, "find %x", skynet_handle_findname("direct"));
	FACT(ctx, "find %x", skynet_handle_findname("nobody"));
	FACT(ctx, "find %x", skynet_handle_findname("logger"));
	int wrong = 0;
	for (int i = 0; i < 500; i++) {
		char name[32];
		snprintf(name, sizeof name, "name%d", i * 7919 % 500);
		wrong += skynet_handle_namehandle(me, name) == NULL;
	}
	for (int i = 0; i < 500; i++) {
		char name[32];
		snprintf(name, sizeof name, "name%d", i);
		wrong += skynet_handle_findname(name) != me;
	}
	FACT(ctx, "wrong %d", wrong);
	skynet_setenv("from", "direct");
	FACT(ctx, "env %s %s", text(skynet_getenv("from")), text(skynet_getenv("nothing")));
	DONE(ctx);
	return 0;
}

static int mailbox(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	struct message_queue *q = skynet_mq_create(0x1234);
	struct skynet_message m = {0, 0, NULL, 0};
	FACT(ctx, "handle %x length %d", skynet_mq_handle(q), skynet_mq_length(q));
	for (int i = 0; i < 1500; i++) {
		m.session = i;
		skynet_mq_push(q, &m);
	}
	FACT(ctx, "length %d overload %d", skynet_mq_length(q), skynet_mq_overload(q));
	int wrong = 0;
	for (int i = 0; i < 1500; i++) {
		wrong += skynet_mq_pop(q, &m) != 0 || m.session != i;
		if (i < 2)
			FACT(ctx, "overload %d", skynet_mq_overload(q));
		if (i == 0)
			FACT(ctx, "overload %d", skynet_mq_overload(q));
	}
	FACT(ctx, "wrong %d empty %d", wrong, skynet_mq_pop(q, &m));
	DONE(ctx);
	return 0;
}

static int timer(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_callback(ctx, NULL, dump_cb);
	FACT(ctx, "timeout %d", skynet_timeout(self(ctx), 0, 5));
	FACT(ctx, "timeout %d", skynet_timeout(self(ctx), 3, 9));
	FACT(ctx, "timeout of the dead %d", skynet_timeout(0xffff, 0, 5));
	FACT(ctx, "starttime %d", skynet_starttime() == (uint32_t)strtoul(skynet_command(ctx, "STARTTIME", NULL), NULL, 10));
	FACT(ctx, "thread time %d", skynet_thread_time() > 0);
	return 0;
}

static int memory_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	size_t mib = 1 << 20, mine = malloc_current_memory(), all = malloc_used_memory();
	char *block = malloc(20 * mib);
	block[0] = 1;
	FACT(ctx, "grown %zu", (malloc_current_memory() - mine + mib / 2) / mib);
	FACT(ctx, "grown in all %zu", (malloc_used_memory() - all + mib / 2) / mib);
	FACT(ctx, "blocks %d", malloc_memory_block() > 0);
	skynet_debug_memory("between");
	block = realloc(block, 10 * mib);
	FACT(ctx, "kept %zu", (malloc_current_memory() - mine + mib / 2) / mib);
	free(block);
	FACT(ctx, "left %zu", (malloc_current_memory() - mine + mib / 2) / mib);
	char *own = skynet_lalloc(NULL, 0, 6);
	memcpy(own, "grown", 6);
	own = skynet_lalloc(own, 6, mib);
	FACT(ctx, "content %s", own);
	FACT(ctx, "null %d", skynet_lalloc(own, mib, 0) == NULL);
	dump_c_mem();
	DONE(ctx);
	return 0;
}

static int memory(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	begin(ctx, memory_cb, NULL);
	return 0;
}

int direct_init(void *inst, struct skynet_context *ctx, const char *parm)
{
	static const struct role roles[] = {
		{"contexts", contexts}, {"quiet", quiet}, {"names", names}, {"mailbox", mailbox}, {"timer", timer},
		{"memory", memory}, {"harbors", harbors}, {NULL, NULL},
	};
	UNUSED(inst);
	return play(roles, ctx, parm);
}
