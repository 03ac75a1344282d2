/* A Lua module that calls jemalloc by the names that it has in the executable of the C core. */

#include <lauxlib.h>
#include <lua.h>

int je_mallctl(const char *name, void *old, size_t *old_size, void *value, size_t size);
int je_mallctlnametomib(const char *name, size_t *mib, size_t *count);
int je_mallctlbymib(const size_t *mib, size_t count, void *old, size_t *old_size, void *value, size_t size);
void *je_malloc(size_t size);
void *je_mallocx(size_t size, int flags);
void je_free(void *block);
size_t je_malloc_usable_size(void *block);
void je_malloc_stats_print(void (*write)(void *, const char *), void *to, const char *options);
extern const char *je_malloc_conf;

static void count(void *to, const char *text)
{
	while (*text++ != '\0')
		++*(size_t *)to;
}

/* facts(): version, size of a block, the same by number, length of the statistics, what jemalloc was configured with. */
static int facts(lua_State *L)
{
	const char *version = NULL;
	size_t size = sizeof version;
	size_t mib[4];
	size_t parts = 4;
	unsigned arenas = 0;
	size_t length = 0;
	void *block = je_malloc(100);
	void *other = je_mallocx(100, 0);
	je_mallctl("version", &version, &size, NULL, 0);
	lua_pushstring(L, version);
	lua_pushinteger(L, (lua_Integer)je_malloc_usable_size(block));
	size = sizeof arenas;
	je_mallctlnametomib("arenas.narenas", mib, &parts);
	je_mallctlbymib(mib, parts, &arenas, &size, NULL, 0);
	lua_pushinteger(L, (lua_Integer)arenas);
	je_malloc_stats_print(count, &length, "J");
	lua_pushinteger(L, (lua_Integer)length);
	lua_pushstring(L, je_malloc_conf);
	je_free(block);
	je_free(other);
	return 5;
}

int luaopen_jemalloc(lua_State *L)
{
	luaL_checkversion(L);
	lua_pushcfunction(L, facts);
	return 1;
}
