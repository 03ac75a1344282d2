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

/* The library is told what this file was compiled for: it refuses what it cannot run. */
static inline void skynet_start_told_(struct skynet_config *config) {
	skynet_start_for(config, sizeof(*config), SKYNET_API_VERSION, SKYNET_HEADERS);
}
#define skynet_start skynet_start_told_
