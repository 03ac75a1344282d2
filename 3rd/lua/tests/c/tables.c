/*
** Tables that are made with all their parts at once: what they hold, and what
** becomes of them when memory ends in between.
*/

#include "harness.h"
#include "lauxlib.h"
#include "lualib.h"

#include <string.h>

static const char *const constructors =
  "local function f (...) return {...} end "
  "local a = {1, 2, 3} local b = {x = 1, y = 2, z = 3} local c = {1, 2, x = 3, [10] = 4} "
  "assert(#a == 3 and a[3] == 3 and next(b) and b.x + b.y + b.z == 6 and c[10] == 4 and #c == 2 and c.x == 3) "
  "local d = {nil, 2} assert(d[1] == nil and d[2] == 2) "
  "assert(next({}) == nil and #{} == 0 and #f(1, 2, 3, 4, 5) == 5) "
  "local e = table.create(8, 8) assert(next(e) == nil and #e == 0) "
  "for i = 1, 20 do e[i] = i e['k' .. i] = i end "
  "for i = 1, 20 do assert(e[i] == i and e['k' .. i] == i) end "
  "for k in pairs(e) do e[k] = nil end assert(next(e) == nil) "
  "for i = 1, 5 do e['n' .. i] = i end local n = 0 for k, v in pairs(e) do n = n + v end assert(n == 15) "
  "local g = setmetatable({}, {__newindex = function (t, k, v) rawset(t, k, v * 2) end}) "
  "g.x = 1 g.y = 2 g.x = 5 assert(g.x == 5 and g.y == 4) "
  "return a, b, c, d, e, g";

void test_tables (void) {
  int left = -1, i;
  lua_State *L = lua_newstate(scarce, &left, 0);
  if (L == NULL) fail("newstate", "no memory");
  luaL_openlibs(L);
  for (i = 0; ; i++) {  /* memory ends after i blocks */
    int status;
    lua_settop(L, 0);
    if (luaL_loadstring(L, constructors) != LUA_OK) fail("tables", lua_tostring(L, -1));
    left = i;
    status = lua_pcall(L, 0, 6, 0);
    left = -1;
    lua_gc(L, LUA_GCCOLLECT);
    if (status == LUA_OK) break;
    if (status != LUA_ERRMEM) fail("tables", lua_tostring(L, -1));
  }
  if (i < 20) fail("tables", "memory was never short");
  lua_close(L);
}
