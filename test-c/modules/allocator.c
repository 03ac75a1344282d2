/*
** What a Lua program cannot see of its allocator, and a coroutine that is
** resumed without the program's knowledge.
*/

#include <lauxlib.h>
#include <lua.h>

/* address(): a number that is another one with another allocator */
static int address (lua_State *L) {
  void *ud;
  lua_Alloc f = lua_getallocf(L, &ud);
  lua_pushinteger(L, (lua_Integer)(size_t)f);
  return 1;
}


/* run(f): in a coroutine that nothing refers to afterwards */
static int run (lua_State *L) {
  int results = 0;
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  if (lua_resume(co, L, 0, &results) != LUA_OK) {
    lua_xmove(co, L, 1);
    return lua_error(L);
  }
  return 0;
}


/* checkstack(co, n): makes room in a coroutine that waits */
static int checkstack (lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  lua_pushboolean(L, lua_checkstack(co, (int)luaL_checkinteger(L, 2)));
  return 1;
}


int luaopen_allocator (lua_State *L) {
  const luaL_Reg functions[] = {
    {"address", address},
    {"run", run},
    {"checkstack", checkstack},
    {NULL, NULL}
  };
  luaL_newlib(L, functions);
  return 1;
}
