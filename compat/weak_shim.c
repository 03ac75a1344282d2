/*
 * Functions that a process may have or not: the library links without Lua and without jemalloc, and uses what is there.
 * Weak references find them both in the executable itself and in shared libraries.
 */
#include <stddef.h>

#define HIDDEN __attribute__((visibility("hidden")))
#define WEAK __attribute__((weak))

struct lua_State;

WEAK int mallctl(const char *name, void *old, size_t *old_len, void *value, size_t value_len);
WEAK void malloc_stats_print(void (*write)(void *, const char *), void *ud, const char *opts);
WEAK void lua_createtable(struct lua_State *L, int narr, int nrec);
WEAK void lua_pushinteger(struct lua_State *L, long long value);
WEAK void lua_rawseti(struct lua_State *L, int index, long long key);

/* The address alone matters. */
WEAK void __asan_init(void);

HIDDEN int skynet_rs_has_asan(void) {
	return __asan_init != NULL;
}

HIDDEN int skynet_rs_has_jemalloc(void) {
	return mallctl != NULL;
}

/* -1 when there is no jemalloc, else its error code. */
HIDDEN int skynet_rs_mallctl(const char *name, void *old, size_t *old_len, void *value, size_t value_len) {
	return mallctl ? mallctl(name, old, old_len, value, value_len) : -1;
}

HIDDEN void skynet_rs_malloc_stats(const char *opts) {
	if (malloc_stats_print)
		malloc_stats_print(NULL, NULL, opts);
}

/* 0 when the process has no Lua. */
HIDDEN int skynet_rs_lua_newtable(struct lua_State *L, int records) {
	if (!lua_createtable || !lua_pushinteger || !lua_rawseti)
		return 0;
	lua_createtable(L, 0, records);
	return 1;
}

HIDDEN void skynet_rs_lua_setinteger(struct lua_State *L, long long key, long long value) {
	lua_pushinteger(L, value);
	lua_rawseti(L, -2, key);
}
