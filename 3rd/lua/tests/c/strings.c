/*
** Short strings with one text that come to a state on several ways: they are
** equal, and mostly one.
*/

#include "harness.h"
#include "lgc.h"
#include "lualib.h"
#include "lauxlib.h"

#include <pthread.h>
#include <string.h>
#include <stdio.h>
#include <stdlib.h>

/*
** same(a, b): two strings of one text, however they came, are the same key
** and the same value. one(a, b): they are one object.
*/
static const char helpers[] =
  "function one(a, b) return string.format('%p', a) == string.format('%p', b) end "
  "function same(a, b) "
  "  assert(a == b and b == a and rawequal(a, b) and not (a ~= b)) "
  "  for _, pair in ipairs {{a, b}, {b, a}} do "
  "    local x, y = pair[1], pair[2] "
  "    local t = {[x] = 1, other = 2} "
  "    assert(t[y] == 1 and rawget(t, y) == 1 and select('#', next(t, y)) > 0) "
  "    t[y] = 3 assert(t[x] == 3) rawset(t, y, 4) assert(t[x] == 4) "
  "    local n = 0 for k, v in pairs(t) do n = n + 1 if k == y then assert(v == 4) end end assert(n == 2) "
  "    for i = 1, 20 do t[x .. i] = i end assert(t[y] == 4 and t[y .. 7] == 7) "
  "    t[y] = nil assert(t[x] == nil and next(t, nil)) "
  "    assert(setmetatable({}, {__index = {[x] = 5}})[y] == 5) "
  "    local last = {[x] = 6, [y] = 7} assert(table.concat({x, y}, y) == x .. x .. x and last[x] == 7) "
  "  end "
  "end "
  "function put(name, text) local f = assert(io.open(dir .. '/' .. name, 'w')) f:write(text) f:close() end "
  "function get(name, ...) return assert(loadfile(dir .. '/' .. name))(...) end ";

static lua_State *openhelped (const char *collector) {
  lua_State *L = openstate(collector);
  run(L, "helpers", helpers);
  return L;
}

/* a state of its own that has a string when code with that string comes */
static void test_early (void) {
  lua_State *L = openhelped("incremental");
  lua_State *other = openhelped("generational");
  run(L, "early",
      "early = 'ear' .. 'ly' "
      "put('early.lua', 'return \"early\", {early = \"early\"}, \"tardy\"') "
      "local s, t, late = get('early.lua') "
      "same(early, s) same('early', s) assert(t.early == 'early' and t[early] == s) "
      "same('tar' .. 'dy', late) assert(one(late, table.concat {'tar', 'dy'}))");
  run(other, "late",
      "local s, t, late = get('early.lua') "
      "same('ea' .. 'rly', s) assert(one(s, table.concat {'ea', 'rly'}) and one(late, table.concat {'tar', 'dy'}))");
  lua_close(L);
  lua_close(other);
}

/* code of two generations in one state, and of a third */
static void test_generations (void) {
  lua_State *L = openhelped("incremental");
  lua_State *other = openhelped("incremental");
  run(L, "write", "put('code.lua', 'return \"constant\", function(t) return t.constant, t.later end')");
  run(L, "first", "mine = 'const' .. 'ant' c1, f1 = get('code.lua')");
  run(other, "first", "c1, f1 = get('code.lua') cache.clear()");
  run(L, "second", "c2, f2 = get('code.lua') same(c1, c2) same(mine, c1) same(mine, c2)");
  run(L, "write", "put('more.lua', 'return \"later\"') later = 'la' .. 'ter' same(later, get('more.lua'))");
  run(L, "third", "cache.clear() c3, f3 = get('code.lua') same(c1, c3) same(c2, c3) same(mine, c3) same(later, get('more.lua')) "
      "local new = table.concat {'const', 'ant'} same(new, c1) same(new, c2) same(new, c3) "
      "local t = {[c1] = 1, [later] = 2} "
      "for _, f in ipairs {f1, f2, f3} do local a, b = f(t) assert(a == 1 and b == 2) end "
      "t = {[c3] = 1, later = 2} "
      "for _, f in ipairs {f1, f2, f3} do local a, b = f(t) assert(a == 1 and b == 2) end");
  lua_close(L);
  run(other, "first", "same(c1, 'const' .. 'ant') assert(f1 {constant = 1} == 1) cache.clear()");
  lua_close(other);
}

static void sharetable (lua_State *L, const char *name) {
  lua_getglobal(L, name);
  makeshared((GCObject *)lua_topointer(L, -1));
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    lua_sharestring(L, -2);
    if (lua_isstring(L, -1)) lua_sharestring(L, -1);
    else {
      lua_sharefunction(L, -1);
      makeshared((GCObject *)lua_topointer(L, -1));
    }
  }
}

/* a table of a state that has no set: its own strings, and what it hands on */
static void test_foreign (void) {
  static const char check[] =
    "same(m.name, 'fo' .. 'reign') same(m.name, mine) same(m.name, code) "
    "assert(m['na' .. 'me'] == mine and m.f {handed = 1, foreign = 2} == 3) "
    "local name, handed = m.g() same(name, code) same(handed, h) same('han' .. 'ded', handed) "
    "for k, v in pairs(m) do assert(m[k] == v) end "
    "local t = {} for i = 1, 50 do t['k' .. i] = i end for i = 1, 50 do assert(t['k' .. i] == i) end";
  lua_State *owner = openhelped("incremental");
  lua_State *L = openhelped("incremental");
  lua_State *later;
  run(owner, "write",
      "put('handed.lua', 'local m = ... m.f = function(t) return t.handed + t.foreign end "
      "m.g = function() return \"foreign\", \"handed\" end return m') "
      "put('user.lua', 'return \"foreign\", \"handed\"')");
  run(owner, "owner", "m = get('handed.lua', {name = 'fo' .. 'reign'})");
  run(L, "before", "mine, h = 'for' .. 'eign', 'hand' .. 'ed' cache.clear() code = get('user.lua')");
  sharetable(owner, "m");
  lua_clonetable(L, lua_topointer(owner, 1));
  lua_setglobal(L, "m");
  run(L, "reader", check);
  later = openhelped("generational");
  run(later, "before", "code, h = get('user.lua') mine = code");
  lua_clonetable(later, lua_topointer(owner, 1));
  lua_setglobal(later, "m");
  run(later, "reader", check);
  run(later, "after", "mine = table.concat {'fore', 'ign'}");
  run(later, "reader", check);
  run(L, "clear", "cache.clear()");
  lua_close(later);
  lua_close(L);
  lua_close(owner);
}

/* a state that is never closed */
static void test_permanent (void) {
  static lua_State *owner = NULL;  /* reachable for the leak check */
  lua_State *before = openhelped("incremental");
  lua_State *after;
  run(before, "before", "mine = 'perma' .. 'nent' put('permanent.lua', 'return \"permanent\"') code = get('permanent.lua')");
  owner = openhelped("incremental");
  lua_keepopen(owner);
  luaL_loadstring(owner, "return 'permanent', 'numbered' .. ...");
  lua_sharefunction(owner, -1);
  after = openhelped("generational");
  run(after, "after", "mine = 'perma' .. 'nent' code = get('permanent.lua')");
  lua_clonefunction(before, lua_topointer(owner, -1));
  lua_setglobal(before, "f");
  run(before, "before", "same(mine, f '1') same(code, f '1') local s, n = f '1' same(n, 'num' .. 'bered1')");
  lua_clonefunction(after, lua_topointer(owner, -1));
  lua_setglobal(after, "f");
  run(after, "after", "assert(one(mine, (f '1'))) same(code, f '1') cache.clear()");
  lua_close(before);
  lua_close(after);
}

/* states that compile, take and make the same names at the same time */
static void *name_things (void *arg) {
  int seed = *(int *)arg;
  int i;
  for (i = 0; i < 2; i++) {
    lua_State *L = openhelped((i % 2) ? "generational" : "incremental");
    lua_pushinteger(L, seed + i);
    lua_setglobal(L, "n");
    run(L, "names",
        "local own = {} "
        "for i = 1, 60 do own[i] = 'name' .. i end "
        "for i = 1, 40 do "
        "  local k = (i * 7 + n) % 20 + 1 "
        "  local constant, other, t = get('n' .. k .. '.lua') "
        "  same(constant, own[k]) same(constant, 'na' .. 'me' .. k) same(other, own[k + 1]) "
        "  assert(t[own[k + 20]] == k and t['name' .. k + 40] == own[k]) "
        "  if (i + n) % 23 == 0 then cache.clear() end "
        "  if i % 10 == 0 then for j = 41, 60 do own[j] = nil end collectgarbage() end "
        "end");
    lua_close(L);
  }
  return NULL;
}

static void test_names_by_many (void) {
  pthread_t threads[NTHREADS];
  int seeds[NTHREADS];
  int i;
  lua_State *L = openhelped("incremental");
  run(L, "write",
      "for k = 1, 20 do put('n' .. k .. '.lua', ('return \"name%d\", \"name%d\", {name%d = %d, name%d = \"name%d\"}')"
      ":format(k, k + 1, k + 20, k, k + 40, k)) end");
  for (i = 0; i < NTHREADS; i++) {
    seeds[i] = i * 5;
    pthread_create(&threads[i], NULL, name_things, &seeds[i]);
  }
  for (i = 0; i < NTHREADS; i++) pthread_join(threads[i], NULL);
  run(L, "clear", "cache.clear()");
  lua_close(L);
}

void test_strings (void) {
  test_early();
  test_generations();
  test_foreign();
  test_permanent();
  test_names_by_many();
}
