/*
 * An executable of a project of its own: its own Lua, its own main, its own log service, the core from libskynet.
 * usage: host FOLDER-OF-THE-SERVICES. Exit code 0 when the services talked to each other and every answer was right.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>
#include "skynet.h"
#include "skynet_env.h"
#include "skynet_imp.h"
#include "skynet_server.h"
#include "host.h"

static int reported_answers = -1;
static int reported_right = 0;

long host_evaluate(const char *expression) {
	long value = -1;
	lua_State *L = luaL_newstate();
	if (L == NULL) {
		return value;
	}
	luaL_openlibs(L);
	if (luaL_loadstring(L, expression) == LUA_OK && lua_pcall(L, 0, 1, 0) == LUA_OK) {
		value = (long)lua_tointeger(L, -1);
	}
	lua_close(L);
	return value;
}

void host_report(int answers, int right) {
	reported_answers = answers;
	reported_right = right;
}

int main(int argc, char *argv[]) {
	char services[4096];
	struct skynet_config config;
	if (argc != 2 || snprintf(services, sizeof(services), "%s/?.so", argv[1]) >= (int)sizeof(services)) {
		fprintf(stderr, "usage: %s FOLDER-OF-THE-SERVICES\n", argv[0]);
		return 2;
	}
	/* The Lua in here is the host's, not the one that the skynet executable carries. */
	if (host_evaluate("return tonumber((_VERSION:match('%d+$')))") != LUA_VERSION_NUM % 100) {
		fprintf(stderr, "the Lua that runs is not the Lua of the headers\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);

	skynet_globalinit();
	skynet_env_init();
	skynet_setenv("host", "yes");

	memset(&config, 0, sizeof(config));
	config.thread = 2;
	config.profile = 1;
	config.module_path = services;
	config.bootstrap = "host_asker 1000";
	config.logservice = "host_log";
	skynet_start(&config);
	skynet_globalexit();

	if (reported_answers != 1000 || !reported_right) {
		fprintf(stderr, "answers: %d, right: %d\n", reported_answers, reported_right);
		return 1;
	}
	return 0;
}
