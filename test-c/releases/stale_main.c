/*
 * A main program whose own old header came first: struct skynet_config of v1.0.0, or one of another size, and no word to
 * the library about it; or headers that are newer than the library.
 * usage: stale_main CASE. Every case ends by a refusal of the library, except "untold", which runs.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct skynet_config;
void skynet_globalinit(void);
void skynet_env_init(void);
void skynet_start(struct skynet_config *config);
void skynet_start_for(const struct skynet_config *config, size_t size, int api_version, int headers);

struct config_v1_0 {
	int thread, harbor;
	const char *daemon, *module_path, *bootstrap, *logger, *logservice;
};

struct config_v1_1 {
	int thread, harbor, profile;
	const char *daemon, *module_path, *bootstrap, *logger, *logservice;
};

int main(int argc, char *argv[]) {
	struct config_v1_0 v1_0 = {1, 0, NULL, "./?.so", "nothing", NULL, "logger"};
	struct config_v1_1 v1_1 = {1, 0, 1, NULL, "./?.so", "nothing", NULL, "logger"};
	const char *name = argc > 1 ? argv[1] : "";
	skynet_globalinit();
	skynet_env_init();
	if (strcmp(name, "old") == 0) {
		skynet_start((struct skynet_config *)(void *)&v1_0);
	} else if (strcmp(name, "untold") == 0) {
		skynet_start((struct skynet_config *)(void *)&v1_1);
	} else if (strcmp(name, "size") == 0) {
		skynet_start_for((struct skynet_config *)(void *)&v1_0, sizeof(v1_0), 10400, 1);
	} else if (strcmp(name, "release") == 0) {
		skynet_start_for((struct skynet_config *)(void *)&v1_1, sizeof(v1_1), 123, 1);
	} else if (strcmp(name, "headers") == 0) {
		skynet_start_for((struct skynet_config *)(void *)&v1_1, sizeof(v1_1), 99999, 1000);
	}
	puts("came back");
	return 0;
}
