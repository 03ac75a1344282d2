/* A Lua module that knows the insides of Lua by its internal headers (compat/lua-headers.sh --internal). */

#include <lprefix.h>

#include <lua.h>

#include <lauxlib.h>
#include <lgc.h>
#include <lobject.h>
#include <lstate.h>
#include <lstring.h>
#include <ltable.h>

/* look(s): the text of a string, the number of slots of the table of strings, whether this is the main thread. */
static int look(lua_State *L)
{
	const TString *text;
	luaL_checktype(L, 1, LUA_TSTRING);
	text = tsvalue(s2v(L->ci->func.p + 1));
	lua_pushlstring(L, getstr(text), tsslen(text));
	lua_pushinteger(L, G(L)->strt.size);
	lua_pushboolean(L, L == mainthread(G(L)));
	return 3;
}

int luaopen_lua_insides(lua_State *L)
{
	luaL_checkversion(L);
	lua_pushcfunction(L, look);
	return 1;
}
