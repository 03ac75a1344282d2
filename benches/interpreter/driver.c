/*
 * Runs a script in the Lua that it is compiled with: the patched one as the program does (VM snapshot, code cache), any other
 * as it is. The same allocator and the same hash seed for all.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lua.h"

#include "lauxlib.h"
#include "lualib.h"

static void *allocate(void *ud, void *block, size_t old, size_t size)
{
	(void)ud;
	(void)old;
	if (size == 0) {
		free(block);
		return NULL;
	}
	return realloc(block, size);
}

#ifdef PATCHED
static int fill(lua_State *L)
{
	luaL_openlibs(L);
	return 0;
}
#endif

int main(int argc, char **argv)
{
	lua_State *L = lua_newstate(allocate, NULL, 12345);
	int i;
	if (argc < 2 || L == NULL)
		return 2;
#ifdef PATCHED
	lua_close(L); /* the seed is that of the first VM */
	if (!lua_makesnapshot(fill) || (L = lua_newstate(allocate, NULL, 0)) == NULL || !lua_copysnapshot(L))
		return 2;
#else
	luaL_openlibs(L);
#endif
	lua_createtable(L, argc, 0);
	for (i = 0; i < argc; i++) {
		lua_pushstring(L, argv[i]);
		lua_rawseti(L, -2, i - 1);
	}
	lua_setglobal(L, "arg");
	if (luaL_loadfile(L, argv[1]) != LUA_OK || lua_pcall(L, 0, 0, 0) != LUA_OK) {
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
		return 1;
	}
	lua_close(L);
	return 0;
}
