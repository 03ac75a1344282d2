/*
** yields.c
** The function 'coroutine.yield' called in C, also by continuations; and C
** functions that return a number of results that is none.
*/

#include "harness.h"
#include "lauxlib.h"
#include "lualib.h"


/* calls the C function 'coroutine.yield' as a function in C, with what is
   on the stack behind the first 'used' values */
static int yield_in_c (lua_State *L) {
  lua_CFunction yield;
  lua_getglobal(L, "coroutine");
  lua_getfield(L, -1, "yield");
  yield = lua_tocfunction(L, -1);
  lua_pop(L, 2);
  return yield(L);
}


static int yields_then (lua_State *L, int status, lua_KContext rest) {
  (void)status; (void)rest;
  return yield_in_c(L);
}


/* plain(...): as 'coroutine.yield' */
static int plain (lua_State *L) {
  return yield_in_c(L);
}


/* after_yield(...): yields, and yields again what it gets */
static int after_yield (lua_State *L) {
  return lua_yieldk(L, lua_gettop(L), 0, yields_then);
}


/* after_call(f, ...): yields what 'f' returns */
static int after_call (lua_State *L) {
  lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, yields_then);
  return yields_then(L, LUA_OK, 0);
}


/* after_pcall(f, ...): the same, protected */
static int after_pcall (lua_State *L) {
  int status = lua_pcallk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, 0, yields_then);
  return yields_then(L, status, 0);
}


static int negative (lua_State *L) {
  return (int)luaL_checkinteger(L, 1);
}


static const luaL_Reg functions[] = {
  {"plain", plain}, {"after_yield", after_yield},
  {"after_call", after_call}, {"after_pcall", after_pcall},
  {"negative", negative}, {NULL, NULL}};


static const char *const code =
  "local function steps (f) "
  "  local co, all = coroutine.create(f), {} "
  "  local function keep (ok, ...) "
  "    all[#all + 1] = table.concat({tostring(ok), ...}, ' ') end "
  "  local n = 0 "
  "  while coroutine.status(co) == 'suspended' do n = n + 1 keep(coroutine.resume(co, 'r' .. n)) end "
  "  return table.concat(all, '|') end "
  "local function check (what, f, expected) "
  "  local got = steps(f) assert(got == expected, what .. ': ' .. got) end "
  "local function back (...) local got = coroutine.yield(...) return 'from ' .. got end "
  "check('plain', function () local a = plain('p') return plain(a) end, 'true p|true r2|true r3') "
  "check('tail', function () return plain('p') end, 'true p|true r2') "
  "check('yieldk', function () local a = after_yield('y') return 'end ' .. a end, 'true y|true r2|true end r3') "
  "check('callk', function () local a = after_call(coroutine.yield, 'y') return 'end ' .. a end, "
  "  'true y|true r2|true end r3') "
  "check('callk of Lua', function () local a = after_call(back, 'y') return 'end ' .. a end, "
  "  'true y|true from r2|true end r3') "
  "check('pcallk', function () local a = after_pcall(back, 'y') return 'end ' .. a end, "
  "  'true y|true from r2|true end r3') "
  "check('pcallk that fails', function () "
  "  local a = after_pcall(function (v) coroutine.yield(v) error('e', 0) end, 'y') return 'end ' .. a end, "
  "  'true y|true e|true end r3') "
  "check('again', function () for i = 1, 3 do after_yield('y' .. i) end return 'end' end, "
  "  'true y1|true r2|true y2|true r4|true y3|true r6|true end') "
  "for _, n in ipairs {-1, -2, -7} do "  /* stock Lua looks at it where results are wanted only */
  "  negative(n) "
  "  check('negative', function () negative(n) return 'end' end, 'true end') end ";


void test_yields (void) {
  static const char *const modes[] = {"incremental", "generational"};
  int i;
  for (i = 0; i < 2; i++) {
    lua_State *L = openstate(modes[i]);
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
    run(L, "yields", code);
    lua_close(L);
  }
}
