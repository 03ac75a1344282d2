/* A puppet on the socket interface.
 *
 * It connects to the port in its argument and takes its orders from there, a line each, so that a test can be the
 * peer of its sockets and decide what happens when. Every event and every result is a FACT. "other LINE" has a second
 * service obey the line.
 */
#include "probe.h"
#include <skynet_socket.h>
#include <stdbool.h>
#include <unistd.h>

#define CONTROL 1
#define IDS 256

struct puppet {
	bool second;
	uint32_t other;
	char line[256];
	size_t length;
	size_t awaited[IDS], received[IDS];
	unsigned char address[32];
	int pipe_end;
};

static const char *const kinds[] = {"?", "data", "connect", "close", "accept", "error", "udp", "warning"};

#define TAG(p) ((p)->second ? "other " : "")

static void *copy(const char *text, size_t n)
{
	char *mem = malloc(n + 1);
	memcpy(mem, text, n);
	mem[n] = 0;
	return mem;
}

static void describe(struct puppet *p, struct skynet_context *ctx, int id)
{
	struct socket_info *all = skynet_socket_info();
	for (struct socket_info *i = all; i; i = i->next) {
		if (i->id == id)
			FACT(ctx, "%sinfo %d type %d owner %x read %llu write %llu pending %lld reading %d writing %d name <%s>", TAG(p), id,
				i->type, (unsigned)i->opaque, (unsigned long long)i->read, (unsigned long long)i->write,
				(long long)i->wbuffer, i->reading, i->writing, i->name);
	}
	socket_info_release(all);
	FACT(ctx, "%send of info", TAG(p));
}

/* Sends so many blocks of 64 KiB, each full of its number; how many were refused. */
static int flood(struct skynet_context *ctx, int id, int blocks)
{
	int refused = 0;
	for (int i = 0; i < blocks; i++) {
		char *block = malloc(1 << 16);
		memset(block, i & 0xff, 1 << 16);
		refused += skynet_socket_send(ctx, id, block, 1 << 16) != 0;
	}
	return refused;
}

/* The callback goes on until there is such a file. */
static void await_file(const char *path)
{
	while (access(path, F_OK) != 0)
		usleep(1000);
}

static void obey(struct puppet *p, struct skynet_context *ctx, const char *line)
{
	char word[16] = "", host[64] = "";
	int id = 0, port = 0, used = 0;
	if (strncmp(line, "other ", 6) == 0) {
		skynet_send(ctx, 0, p->other, PTYPE_TEXT, 0, (void *)(line + 6), strlen(line + 6));
		return;
	}
	sscanf(line, "%15s%n", word, &used);
	const char *rest = line + used;
	if (sscanf(rest, "%d%n", &id, &used) == 1)
		rest += used;
	rest += *rest == ' ';
	size_t n = strlen(rest);
	const char *tag = TAG(p);
	if (strcmp(word, "listen") == 0 || strcmp(word, "dial") == 0 || strcmp(word, "open") == 0 ||
		strcmp(word, "udp") == 0 || strcmp(word, "udplisten") == 0) {
		/* "open PORT HOST" and so on; the host is the rest of the line, which may be missing. */
		const char *address = n ? rest : NULL;
		port = id;
		switch (word[0]) {
		case 'l': id = skynet_socket_listen(ctx, address, port, 32); break;
		case 'd': id = skynet_socket_udp_dial(ctx, address, port); break;
		case 'o': id = skynet_socket_connect(ctx, address, port); break;
		default: id = word[3] ? skynet_socket_udp_listen(ctx, address, port) : skynet_socket_udp(ctx, address, port);
		}
		FACT(ctx, "%s%s gave %d", tag, word, id);
	} else if (strcmp(word, "udpconnect") == 0) {
		sscanf(rest, "%d %63s", &port, host);
		FACT(ctx, "%sudpconnect gave %d", tag, skynet_socket_udp_connect(ctx, id, host, port));
	} else if (strcmp(word, "start") == 0) {
		skynet_socket_start(ctx, id);
	} else if (strcmp(word, "pause") == 0) {
		skynet_socket_pause(ctx, id);
	} else if (strcmp(word, "close") == 0) {
		skynet_socket_close(ctx, id);
	} else if (strcmp(word, "shutdown") == 0) {
		skynet_socket_shutdown(ctx, id);
	} else if (strcmp(word, "nodelay") == 0) {
		skynet_socket_nodelay(ctx, id);
	} else if (strcmp(word, "send") == 0) {
		FACT(ctx, "%ssend gave %d", tag, skynet_socket_send(ctx, id, copy(rest, n), (int)n));
	} else if (strcmp(word, "low") == 0) {
		FACT(ctx, "%slow gave %d", tag, skynet_socket_send_lowpriority(ctx, id, copy(rest, n), (int)n));
	} else if (strcmp(word, "raw") == 0) {
		struct socket_sendbuffer raw = {id, SOCKET_BUFFER_RAWPOINTER, rest, n};
		FACT(ctx, "%sraw gave %d", tag, skynet_socket_sendbuffer(ctx, &raw));
	} else if (strcmp(word, "flood") == 0) {
		FACT(ctx, "%sflood failed %d", tag, flood(ctx, id, atoi(rest)));
	} else if (strcmp(word, "answer") == 0) {
		FACT(ctx, "%sanswer gave %d", tag, skynet_socket_udp_send(ctx, id, (const char *)p->address, copy(rest, n), (int)n));
	} else if (strcmp(word, "count") == 0) {
		p->awaited[id] = (size_t)atoll(rest);
	} else if (strcmp(word, "info") == 0) {
		describe(p, ctx, id);
	} else if (strcmp(word, "pipe") == 0) {
		int ends[2];
		if (pipe(ends) == 0) {
			p->pipe_end = ends[1];
			FACT(ctx, "%spipe gave %d", tag, skynet_socket_bind(ctx, ends[0]));
		}
	} else if (strcmp(word, "write") == 0) {
		if (write(p->pipe_end, rest, n) < 0)
			FACT(ctx, "no pipe");
	} else if (strcmp(word, "hangup") == 0) {
		close(p->pipe_end);
	} else if (strcmp(word, "logon") == 0) {
		order(ctx, "LOGON", self(ctx), "");
	} else if (strcmp(word, "await") == 0) {
		await_file(rest);
	} else if (strcmp(word, "quit") == 0) {
		exit(id);
	} else if (strcmp(word, "leave") == 0) {
		skynet_command(ctx, "EXIT", NULL);
	} else if (strcmp(word, "ping") == 0) {
		FACT(ctx, "%spong %d", tag, id);
	} else {
		FACT(ctx, "no order <%s>", line);
	}
}

static void orders(struct puppet *p, struct skynet_context *ctx, const char *bytes, int n)
{
	for (int i = 0; i < n; i++) {
		if (bytes[i] != '\n') {
			if (p->length < sizeof p->line - 1)
				p->line[p->length++] = bytes[i];
			continue;
		}
		p->line[p->length] = 0;
		p->length = 0;
		obey(p, ctx, p->line);
	}
}

static int event(struct skynet_context *ctx, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	struct puppet *p = ud;
	if (type == PTYPE_TEXT) {
		obey(p, ctx, msg);
		return 0;
	}
	if (type != PTYPE_SOCKET)
		return 0;
	struct skynet_socket_message *m = (struct skynet_socket_message *)msg;
	int text = (int)(sz - sizeof *m);
	const char *tag = TAG(p), *kind = kinds[m->type & 7];
	if (!p->second && m->id == CONTROL) {
		if (m->type == SKYNET_SOCKET_TYPE_DATA) {
			orders(p, ctx, m->buffer, m->ud);
			free(m->buffer);
		}
		return 0;
	}
	if (source != 0 || session != 0)
		FACT(ctx, "an event of %x with session %d", source, session);
	if (m->buffer == NULL) {
		FACT(ctx, "%s%s %d %d <%.*s>", tag, kind, m->id, m->ud, text, (const char *)(m + 1));
		return 0;
	}
	if (sz != sizeof *m)
		FACT(ctx, "a message of size %zu", sz);
	if (m->type == SKYNET_SOCKET_TYPE_UDP) {
		int size = 0;
		const char *address = skynet_socket_udp_address(m, &size);
		char hex[64] = "";
		memcpy(p->address, address, (size_t)size);
		for (int i = 0; i < size; i++)
			sprintf(hex + 2 * i, "%02x", (unsigned char)address[i]);
		FACT(ctx, "%sudp %d %d <%.*s> from %s after %td", tag, m->id, m->ud, m->ud, m->buffer, hex, address - m->buffer);
	} else if (p->awaited[m->id]) {
		p->received[m->id] += (size_t)m->ud;
		if (p->received[m->id] >= p->awaited[m->id])
			FACT(ctx, "%scounted %d %zu", tag, m->id, p->received[m->id]);
	} else {
		FACT(ctx, "%s%s %d %d <%.*s>", tag, kind, m->id, m->ud, m->ud, m->buffer);
	}
	free(m->buffer);
	return 0;
}

void *sockets_create(void)
{
	return calloc(1, sizeof(struct puppet));
}

int sockets_init(void *inst, struct skynet_context *ctx, const char *parm)
{
	struct puppet *p = inst;
	skynet_callback(ctx, p, event);
	p->second = strcmp(parm, "second") == 0;
	if (p->second)
		return 0;
	p->other = handle_of(skynet_command(ctx, "LAUNCH", "sockets second"));
	return skynet_socket_connect(ctx, "127.0.0.1", atoi(parm)) != CONTROL;
}

void sockets_release(void *inst)
{
	free(inst);
}
