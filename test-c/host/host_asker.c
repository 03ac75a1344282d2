/*
 * First service of the host: launches host_doubler, asks it as many questions as its argument says, one after the
 * other, waits for a timer, reports to the host and ends the node.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "skynet.h"
#include "host.h"

struct asker {
	uint32_t doubler;
	int questions;
	int asked;
	int session;
	int right;
	int timer;
};

struct asker *host_asker_create(void) {
	return (struct asker *)calloc(1, sizeof(struct asker));
}

void host_asker_release(struct asker *self) {
	free(self);
}

static void ask(struct skynet_context *context, struct asker *self) {
	/* The core takes the text over: it comes from its allocator. */
	char *text = (char *)skynet_malloc(32);
	int size = snprintf(text, 32, "%d", ++self->asked);
	self->session = skynet_send(context, 0, self->doubler, PTYPE_TEXT | PTYPE_TAG_DONTCOPY | PTYPE_TAG_ALLOCSESSION, 0, text, (size_t)size + 1);
}

static int on_answer(struct skynet_context *context, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz) {
	struct asker *self = (struct asker *)ud;
	(void)sz;
	if (type != PTYPE_RESPONSE) {
		self->right = 0;
	} else if (self->timer && session == self->timer) {
		/* A timer has no sender and no data. */
		host_report(self->asked, self->right && source == 0 && msg == NULL);
		skynet_error(context, "%d questions", self->asked);
		skynet_command(context, "ABORT", NULL);
	} else {
		if (session != self->session || source != self->doubler || strtol((const char *)msg, NULL, 10) != 2L * self->asked) {
			self->right = 0;
		}
		if (self->asked < self->questions) {
			ask(context, self);
		} else {
			self->timer = (int)strtol(skynet_command(context, "TIMEOUT", "1"), NULL, 10);
		}
	}
	return 0;
}

int host_asker_init(struct asker *self, struct skynet_context *context, const char *parm) {
	const char *text = skynet_command(context, "LAUNCH", "host_doubler");
	const char *host = skynet_command(context, "GETENV", "host");
	if (text == NULL || host == NULL || strcmp(host, "yes") != 0) {
		return 1;
	}
	self->doubler = (uint32_t)strtoul(text + 1, NULL, 16);
	self->questions = (int)strtol(parm, NULL, 10);
	self->right = 1;
	skynet_callback(context, self, on_answer);
	ask(context, self);
	return 0;
}
