#if SKYNET_API_VERSION > 10800
/* Copies of strings in memory of skynet_malloc; NULL when there is none left. */
static inline char *skynet_strndup(const char *str, size_t size) {
	char *copy = (char *)skynet_malloc(size + 1);
	if (copy) {
		memcpy(copy, str, size);
		copy[size] = '\0';
	}
	return copy;
}

static inline char *skynet_strdup(const char *str) {
	return skynet_strndup(str, strlen(str));
}
#endif

#if SKYNET_API_VERSION < 10100
/* The library takes the structure of v1.1.0. Profiling was always on before. */
static inline void skynet_start_v1_0_(struct skynet_config *config) {
	struct {
		int thread, harbor, profile;
		const char *daemon, *module_path, *bootstrap, *logger, *logservice;
	} full = {
		config->thread, config->harbor, 1,
		config->daemon, config->module_path, config->bootstrap, config->logger, config->logservice,
	};
	skynet_start((struct skynet_config *)(void *)&full);
}
#define skynet_start skynet_start_v1_0_
#endif
