/* A harbor service of ours: what the core hands to it. */
#include "probe.h"
#include <skynet_harbor.h>

static int hook_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud);
	const struct remote_message *remote = msg;
	FACT(ctx, "type %d session %d source %x size %zu", type, session, source, sz);
	if (type == PTYPE_SYSTEM) {
		static const char none[] = "";
	FACT(ctx, "to %x name <%.16s> type %d size %zu <%.*s>", remote->destination.handle,
			remote->destination.handle ? none : remote->destination.name, remote->type, remote->sz,
			(int)remote->sz, (const char *)remote->message);
		free((void *)remote->message);
	}
	if (session == 9)
		DONE(ctx);
	return 0;
}

static int harbor(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_harbor_start(ctx);
	skynet_callback(ctx, NULL, hook_cb);
	return 0;
}

static int starts(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	char *own = malloc(3);
	memcpy(own, "own", 3);
	skynet_command(ctx, "LAUNCH", "hooks harbor");
	FACT(ctx, "send %d", skynet_send(ctx, 0, 0x09000007, PTYPE_TEXT, 3, "to a handle", 11));
	FACT(ctx, "send %d", skynet_send(ctx, 0x0100abcd, 0x09000007, PTYPE_RESERVED_LUA | PTYPE_TAG_DONTCOPY, 4, own, 3));
	FACT(ctx, "send %d", skynet_sendname(ctx, 0, "SHORT", PTYPE_TEXT | PTYPE_TAG_ALLOCSESSION, 0, "to a name", 9));
	FACT(ctx, "send %d", skynet_sendname(ctx, 0, "ANAMEOFSIXTEENBYTES", PTYPE_TEXT, 6, "cut", 3));
	FACT(ctx, "send %d", skynet_send(ctx, 0, 0x01000003, PTYPE_TEXT, 7, "local", 5));
	FACT(ctx, "send %d", skynet_sendname(ctx, 0, ":9000001", PTYPE_CLIENT, 9, NULL, 0));
	return 0;
}

static int retire_cb(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	UNUSED(ud), UNUSED(type), UNUSED(session), UNUSED(source), UNUSED(msg), UNUSED(sz);
	skynet_command(ctx, "ABORT", NULL);
	return 0;
}

/* The harbor service does not keep the node from ending. */
static int ends(struct skynet_context *ctx, const char *args)
{
	UNUSED(args);
	skynet_command(ctx, "LAUNCH", "hooks harbor");
	begin(ctx, retire_cb, NULL);
	return 0;
}

int hooks_init(void *inst, struct skynet_context *ctx, const char *parm)
{
	static const struct role roles[] = {{"harbor", harbor}, {"starts", starts}, {"ends", ends}, {NULL, NULL}};
	UNUSED(inst);
	return play(roles, ctx, parm);
}

void hooks_release(void *inst)
{
	UNUSED(inst);
	fprintf(stderr, "released\n");
}
