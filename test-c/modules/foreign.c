/*
 * A Lua module that is compiled with the headers of several generations of Lua. OPEN is the name of its function
 * luaopen_NAME; CHECKS lets it ask for the version of Lua, UPVALUES lets it have an upvalue, BOX a userdata.
 */

#include <lua.h>
#include <lauxlib.h>

static int twice(lua_State *L)
{
	lua_pushinteger(L, 2 * luaL_checkinteger(L, 1));
	return 1;
}

#ifdef UPVALUES
/* Where Lua looks for an upvalue is compiled in. */
static int kept(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(1));
	return 1;
}
#endif

int OPEN(lua_State *L)
{
#ifdef CHECKS
	luaL_checkversion(L);
#endif
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, twice);
	lua_setfield(L, -2, "twice");
#ifdef UPVALUES
	lua_pushinteger(L, 7);
	lua_pushcclosure(L, kept, 1);
	lua_setfield(L, -2, "kept");
#endif
#ifdef BOX
	lua_newuserdata(L, 8);
	lua_setfield(L, -2, "box");
#endif
	return 1;
}
