/*
 * The main program of a project of some release: compiled with its SKYNET_API_VERSION, it defines what such programs
 * define themselves, and starts a node with one service.
 * usage: release_main FOLDER-OF-THE-SERVICES SERVICE [API_VERSION-IN-THE-CONFIG]. Exit code 0 when the service said that
 * everything is as in its release.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "skynet.h"
#include "skynet_imp.h"
#include "skynet_env.h"
#include "skynet_server.h"

static int passed = 0;

/* Called by the service. */
void release_passed(void) {
	passed = 1;
}

int sigign(void) {
	struct sigaction action;
	memset(&action, 0, sizeof(action));
	action.sa_handler = SIG_IGN;
	return sigaction(SIGPIPE, &action, 0);
}

int main(int argc, char *argv[]) {
	char path[4096];
	struct skynet_config config;
	if (argc < 3 || snprintf(path, sizeof(path), "%s/?.so", argv[1]) >= (int)sizeof(path)) {
		return 2;
	}
	/* Before there is a node, this is its main thread. */
	if (skynet_current_handle() != (uint32_t)-THREAD_MAIN) {
		fprintf(stderr, "current handle before the start\n");
		return 2;
	}
	skynet_globalinit();
	skynet_env_init();
	sigign();
	if (argc > 3) {
		skynet_setenv("api_version", argv[3]);
	}
	memset(&config, 0, sizeof(config));
	config.thread = 2;
	config.harbor = 1;
	config.module_path = path;
	config.bootstrap = argv[2];
	config.logservice = "logger";
	skynet_start(&config);
	skynet_globalexit();
	return !passed;
}
