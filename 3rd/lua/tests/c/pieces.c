/*
** Collections in pieces, with the program at work in between.
*/

#include "harness.h"
#include "lauxlib.h"
#include "lualib.h"

int lua_gcpiece (lua_State *L, int *phase);
size_t lua_gcnext (lua_State *L);

static int bytes (lua_State *L) {
  return lua_gc(L, LUA_GCCOUNT) * 1024 + lua_gc(L, LUA_GCCOUNTB);
}

static int collect (lua_State *L, const char *between) {
  int phase = 0, result, pieces = 0;
  while ((result = lua_gcpiece(L, &phase)) == 1) {
    run(L, "between pieces", between);
    if (++pieces > 100000) fail("pieces", "no end");
  }
  return result;
}

static lua_State *full (int mode) {
  lua_State *L = luaL_newstate();
  if (L == NULL) fail("newstate", "no memory");
  luaL_openlibs(L);
  lua_gc(L, mode, 0, 0);
  run(L, "fill",
      "closed, live, mixed, weak = 0, {}, {}, setmetatable({}, {__mode = 'v'}) "
      "for i = 1, 20000 do live[i] = {tostring(i)} "
      "  mixed[i] = setmetatable({live[i]}, i % 100 == 0 and {__gc = function () closed = closed + 1 end} or nil) "
      "  weak[i] = mixed[i] end "
      "collectgarbage() mixed = nil");
  return L;
}

static const char intact [] =
  "for i = 1, 20000 do assert(live[i][1] == tostring(i) and weak[i] == nil) end assert(closed == 200)";

/* everything between two pieces that makes objects, changes old ones or
   concerns the collector */
static const char *const works [] = {
  "",
  "for i = 1, 20 do live[i] = {tostring(i)} end",
  "local c = coroutine.wrap(function (...) for i = 1, 10 do coroutine.yield({...}) end end) c(1) c()",
  "collectgarbage('step', 100)",
  "if not once then once = true collectgarbage() end",
  "if not once then once = true collectgarbage 'generational' end",
  "if not once then once = true collectgarbage 'incremental' end",
};

void test_pieces (void) {
  static const int modes[] = {LUA_GCINC, LUA_GCGEN};
  unsigned i, m;
  for (m = 0; m < 2; m++) {
    for (i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
      lua_State *L = full(modes[m]);
      int before = bytes(L);
      size_t next = lua_gcnext(L);
      if (collect(L, works[i]) != 2) fail("pieces", "refused");
      if (i < 5 && bytes(L) > before * 3 / 4) fail("pieces", works[i]);
      if (next == lua_gcnext(L)) fail("next", "the collector has done nothing");
      if (i < 5 && lua_gc(L, modes[m], 0, 0) != modes[m]) fail("pieces", "another mode");
      /* once more, from where the last one ended, and after it */
      collect(L, works[1]);
      run(L, "intact", intact);
      lua_gc(L, LUA_GCCOLLECT);
      run(L, "intact", intact);
      if (lua_gc(L, LUA_GCSTOP), collect(L, "") != 0) fail("pieces", "not refused");
      lua_close(L);
    }
  }
}
