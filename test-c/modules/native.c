/* A Lua module in C, or in C++: `OPEN` is the name of its function luaopen_NAME. */

#ifdef __cplusplus
#include <lua.hpp>
extern "C" {
#else
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#endif

/* total(t): the sum of a list, with its length as the second result. */
static int total(lua_State *L)
{
	lua_Integer sum = 0;
	lua_Integer n = 0;
	luaL_checktype(L, 1, LUA_TTABLE);
	while (lua_geti(L, 1, n + 1) != LUA_TNIL) {
		sum += luaL_checkinteger(L, -1);
		n++;
		lua_pop(L, 1);
	}
	lua_pushinteger(L, sum);
	lua_pushinteger(L, n);
	return 2;
}

/* again(f): another closure of the same function. What this calls is not in Lua's own headers. */
static int again(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_sharefunction(L, 1);
	lua_clonefunction(L, lua_topointer(L, 1));
	return 1;
}

/* cell(v): a userdata with a user value; cell() of it is v. */
static int cell_get(lua_State *L)
{
	int *calls = (int *)luaL_checkudata(L, 1, "native.cell");
	++*calls;
	lua_getiuservalue(L, 1, 1);
	lua_pushinteger(L, *calls);
	return 2;
}

static int cell(lua_State *L)
{
	int *calls = (int *)lua_newuserdatauv(L, sizeof *calls, 1);
	*calls = 0;
	lua_pushvalue(L, 1);
	lua_setiuservalue(L, -2, 1);
	if (luaL_newmetatable(L, "native.cell")) {
		lua_pushcfunction(L, cell_get);
		lua_setfield(L, -2, "__call");
	}
	lua_setmetatable(L, -2);
	return 1;
}

/* run(f): calls a function in a coroutine of this module's own, which nobody has afterwards. */
static int run(lua_State *L)
{
	lua_State *co;
	int results;
	luaL_checktype(L, 1, LUA_TFUNCTION);
	co = lua_newthread(L);
	lua_pushvalue(L, 1);
	lua_xmove(L, co, 1);
	lua_pushboolean(L, lua_resume(co, L, 0, &results) == LUA_OK);
	return 1;
}

/* call(f): calls a function in a coroutine that nobody resumes: an error of it goes to the main one. */
static int call(lua_State *L)
{
	lua_State *co;
	luaL_checktype(L, 1, LUA_TFUNCTION);
	co = lua_newthread(L);
	lua_pushvalue(L, 1);
	lua_xmove(L, co, 1);
	lua_call(co, 0, 0);
	return 0;
}

/* call_in(co, f): calls a function in a coroutine that waits, as a callback does whose module has kept a state. */
static int call_in(lua_State *L)
{
	lua_State *co = lua_tothread(L, 1);
	luaL_argcheck(L, co != NULL && co != L, 1, "another coroutine expected");
	luaL_checktype(L, 2, LUA_TFUNCTION);
	luaL_checkstack(co, 1, NULL);
	lua_pushvalue(L, 2);
	lua_xmove(L, co, 1);
	lua_call(co, 0, 0);
	return 0;
}

int OPEN(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"total", total},
		{"again", again},
		{"cell", cell},
		{"run", run},
		{"call", call},
		{"call_in", call_in},
		{NULL, NULL},
	};
	luaL_checkversion(L);
	luaL_newlib(L, functions);
	lua_pushinteger(L, LUA_VERSION_NUM);
	lua_setfield(L, -2, "version");
	return 1;
}

#ifdef __cplusplus
}
#endif
