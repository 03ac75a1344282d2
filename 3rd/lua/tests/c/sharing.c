/*
** What the patched Lua adds, under collectors that work hard. Built
** with Lua's own assertions and a sanitizer by tests/sanitizers.rs.
** Usage: sharing DIRECTORY (for scripts). Exit code 0 and "ok" on success.
*/

#include "harness.h"
#include "lbuild.h"
#include "luse.h"
#include "lview.h"
#include "lgc.h"
#include "lualib.h"
#include "lauxlib.h"

#include <pthread.h>
#include <string.h>
#include <stdio.h>
#include <stdlib.h>

/* the age alone, as modules compiled elsewhere set it: the color stays */
#define keepcolor(o)  \
  ((o)->marked = (lu_byte)(((o)->marked & ~AGEBITS) | G_SHARED))

static void share (lua_State *L, int idx, int color) {
  idx = lua_absindex(L, idx);
  luaL_checkstack(L, 5, NULL);
  switch (lua_type(L, idx)) {
    case LUA_TSTRING: lua_sharestring(L, idx); break;
    case LUA_TFUNCTION:
      lua_sharefunction(L, idx);
      if (color) keepcolor((GCObject *)lua_topointer(L, idx));
      else makeshared((GCObject *)lua_topointer(L, idx));
      break;
    case LUA_TTABLE: {
      GCObject *t = (GCObject *)lua_topointer(L, idx);
      if (isshared(t)) return;
      if (color) keepcolor(t);
      else makeshared(t);
      for (lua_pushnil(L); lua_next(L, idx) != 0; lua_pop(L, 1)) {
        share(L, -2, color);
        share(L, -1, color);
      }
      break;
    }
    default: break;
  }
}

static const char *make_matrix =
  "matrix = {list = {}, name = 'na' .. 'me', [('k'):rep(50)] = ('v'):rep(90),"
  "          f = function(t, i) return t.list[i].id .. ':' .. t.name end}"
  "matrix.self = matrix "
  "for i = 1, 200 do matrix.list[i] = {id = i, text = 'item' .. i} end "
  "collectgarbage()";

static const char *use_matrix =
  "local m = matrix;"
  "local weak = setmetatable({}, {__mode = 'v'})"
  "local eph = setmetatable({}, {__mode = 'k'})"
  "local as_meta = setmetatable({}, {__index = m, __gc = nil})"
  "for round = 1, 30 do "
  "  local own = {m, m.list, m.f, m.name}"
  "  weak[1] = m.list; weak[m.name] = m.list[round]; eph[own] = m.list; eph[m] = own; eph[round] = m.f;"
  "  assert(m.self == m and #m.list == 200 and m['na' .. 'me'] == 'name')"
  "  assert(m[('k'):rep(50)] == ('v'):rep(90))"
  "  assert(m.f(m, round) == round .. ':name' and as_meta.name == 'name')"
  "  for i, item in ipairs(m.list) do"
  "    assert(item.text == 'item' .. i); own[item.text] = item; own[i + 5] = {item}"
  "    assert(rawget(own, 'item' .. i) == item)"
  "  end "
  "  local n = 0 for k, v in pairs(m) do n = n + 1 end assert(n == 5)"
  "  local co = coroutine.wrap(function(t) coroutine.yield(t.name) return t.f(t, 1) end)"
  "  assert(co(m) == 'name' and co() == '1:name')"
  "  setmetatable({}, m.list[1])"
  "  if round % 10 == 0 then collectgarbage(); collectgarbage(round % 20 == 0 and collector or 'incremental') end "
  "  collectgarbage('step', 10)"
  "end "
  "assert(weak[1] == m.list and eph[m][1] == m)"
  "local function refused(text, f, ...)"
  "  local ok, err = pcall(f, ...) assert(not ok and err:find(text, 1, true), err) end "
  "refused('attempt to change', function() m.name = 1 end)"
  "refused('attempt to change', function() m.fresh = 1 end)"
  "refused('attempt to change', function() m.list[1] = nil end)"
  "refused('attempt to change', function() m.list[201] = 1 end)"
  "refused('attempt to change', function() setmetatable({}, {__newindex = m}).x = 1 end)"
  "refused('attempt to change', table.insert, m.list, 1)"
  "refused('attempt to change a shared table', rawset, m, 'name', 1)"
  "refused('shared table', setmetatable, m, {})";

struct reader { const void *t; const char *collector; };

static void *read_matrix (void *arg) {
  struct reader *r = (struct reader *)arg;
  lua_State *L = openstate(r->collector);
  lua_clonetable(L, r->t);
  lua_setglobal(L, "matrix");
  run(L, r->collector, use_matrix);
  lua_close(L);
  return NULL;
}

static void test_matrix (const char *collector, int color) {
  pthread_t threads[NTHREADS];
  struct reader readers[NTHREADS];
  int i;
  lua_State *owner = openstate(collector);
  run(owner, "matrix", make_matrix);
  lua_gc(owner, LUA_GCSTOP);
  lua_getglobal(owner, "matrix");
  share(owner, -1, color);
  for (i = 0; i < NTHREADS; i++) {
    readers[i].t = lua_topointer(owner, -1);
    readers[i].collector = (i % 2) ? "generational" : "incremental";
    pthread_create(&threads[i], NULL, read_matrix, &readers[i]);
  }
  lua_gc(owner, LUA_GCRESTART);
  /* the owner uses it and collects while the others read */
  run(owner, "owner", use_matrix);
  for (i = 0; i < NTHREADS; i++) pthread_join(threads[i], NULL);
  lua_close(owner);
}

/* ways to have something of a matrix; the last part lets go of it */
static const struct { const char *take, *leave; } uses[] = {
  {"x = m", "x = nil"},
  {"x = {m.list[7]}", "x = nil"},
  {"x = m.list[7].text", "x = nil"},
  {"x = {[m.list[7].text] = 1}", "x[next(x)] = nil"},
  {"x = {} x[m.list[9].text] = 1 x.b = 2 x[m.list[9].text] = nil", "x.c = 3"},
  {"local n = ('v'):rep(90) x = function() return n end debug.setupvalue(x, 1, m[('k'):rep(50)])", "x = nil"},
  {"x = m.f", "x = nil"},
  {"x = coroutine.wrap(function(s) coroutine.yield() return s end) x(m.name)", "x() x = nil"},
  {"x = coroutine.create(function() local s = m.name; m = nil; local function g() return s end "
   "coroutine.yield() return g() end) coroutine.resume(x)", "x = nil"},
  {"x = coroutine.create(m.f)", "x = nil"},
  {"x = setmetatable({}, m.list)", "setmetatable(x, nil)"},
  {"x = io.tmpfile() debug.setmetatable(true, m.list)", "debug.setmetatable(true, nil)"},
  {"x = setmetatable({}, {__gc = function(t) seen = t.s end}) x.s = m.name x = nil", "seen = nil"},
  {"debug.getregistry().x = m.list", "debug.getregistry().x = nil"},
};

static int useof (lua_State *L, lua_State *first, lua_State *second) {
  lua_State *owners[2];
  unsigned char used[2] = {7, 7};
  owners[0] = first;
  owners[1] = second;
  lua_shareduse(L, owners, 2, used);
  return used[0] + 10 * used[1];
}

static lua_State *open_matrix (const char *collector) {
  lua_State *owner = openstate(collector);
  run(owner, "matrix", make_matrix);
  lua_gc(owner, LUA_GCSTOP);
  lua_getglobal(owner, "matrix");
  share(owner, -1, 0);
  return owner;
}

static void test_use (const char *collector) {
  size_t i;
  lua_State *L = openstate(collector);
  lua_State *other = open_matrix("incremental");
  for (i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
    lua_State *owner = open_matrix("incremental");
    int empty = (i == 4);  /* nothing is left but the key of an empty entry */
    if (useof(L, other, owner) != 0) fail(uses[i].take, "used before");
    lua_clonetable(L, lua_topointer(owner, -1));
    lua_setglobal(L, "m");
    if (useof(L, other, owner) != 10) fail(uses[i].take, "the table is not used");
    run(L, uses[i].take, uses[i].take);
    run(L, "leave", "m = nil collectgarbage('step')");
    if (useof(L, other, owner) != (empty ? 0 : 10)) fail(uses[i].take, "wrong");
    if (!empty) run(L, uses[i].leave, uses[i].leave);
    if (useof(L, other, owner) != 0) fail(uses[i].leave, "still used");
    lua_close(owner);
    if (empty) run(L, uses[i].leave, "for i = 1, 300 do x['item' .. i] = i end");
    run(L, "after", "collectgarbage('step', 5) collectgarbage()");
  }
  lua_close(L);
  lua_close(other);
}

/* what an owner shares may be strings of code that nobody else uses any more */
static void test_use_of_code (void) {
  lua_State *L = openstate("incremental");
  lua_State *owner;
  run(L, "write", "cache.clear() local f = assert(io.open(dir .. '/code.lua', 'w')) f:write('return \"of a generation\"') f:close()");
  owner = openstate("incremental");
  run(owner, "owner", "m = {name = dofile(dir .. '/code.lua')} collectgarbage()");
  lua_gc(owner, LUA_GCSTOP);
  lua_getglobal(owner, "m");
  share(owner, -1, 0);
  lua_clonetable(L, lua_topointer(owner, -1));
  lua_setglobal(L, "m");
  run(L, "take", "x = m.name m = nil cache.clear()");
  if (useof(L, owner, owner) != 11) fail("code", "a string of the owner's code is not used");
  run(L, "leave", "assert(x == 'of a ' .. 'generation') x = nil");
  if (useof(L, owner, owner) != 0) fail("code", "still used");
  lua_close(owner);
  run(L, "after", "x = 'of a ' .. 'generation' collectgarbage()");
  lua_close(L);
}

/* several states ask while others read */
static void *ask_for_use (void *arg) {
  lua_State *owner = (lua_State *)arg;
  lua_State *L = openstate("incremental");
  int i;
  for (i = 0; i < 20; i++) {
    lua_clonetable(L, lua_topointer(owner, 1));
    lua_setglobal(L, "m");
    run(L, "use", "local n = 0 for _, item in ipairs(m.list) do n = n + #item.text end x = m.name");
    run(L, "leave", "m = nil");
    if (useof(L, owner, owner) != 11) fail("ask", "not used");
    run(L, "leave", "x = nil");
    if (useof(L, owner, owner) != 0) fail("ask", "used");
  }
  lua_close(L);
  return NULL;
}

static void test_use_by_many (void) {
  pthread_t threads[NTHREADS];
  int i;
  lua_State *owner = open_matrix("incremental");
  for (i = 0; i < NTHREADS; i++)
    pthread_create(&threads[i], NULL, ask_for_use, owner);
  for (i = 0; i < NTHREADS; i++) pthread_join(threads[i], NULL);
  lua_close(owner);
}

/* share in the middle of cycles of a state that goes on working */
static void test_running (const char *collector) {
  lua_State *owner = openstate(collector);
  lua_State *user = openstate(collector);
  int i;
  for (i = 0; i < 200; i++) {
    run(owner, "function",
        "local t = setmetatable({}, {__mode = 'k'}) for i = 1, 50 do t[{}] = {('s'):rep(i)} end "
        "f = load('local a, b = ... local function g(x) return x .. \"const' .. math.random(1e9) .. '\" end "
        "return g(a) .. (b or \"\") .. \"' .. ('y'):rep(70) .. '\"') "
        "collectgarbage('step', math.random(0, 3))");
    lua_getglobal(owner, "f");
    lua_sharefunction(owner, -1);
    lua_clonefunction(user, lua_topointer(owner, -1));
    lua_setglobal(user, "f");
    lua_pop(owner, 1);
    run(owner, "owner", "collectgarbage('step', 1) assert(f('1'):find('^1const'))");
    if (i % 20 == 0) {
      run(owner, "owner", "f = nil collectgarbage()");
      run(user, "user", "collectgarbage()");
    }
    run(user, "user", "all = all or {} all[#all + 1] = f for _, h in ipairs(all) do assert(h('1'):find('^1const')) end "
        "assert(load(string.dump(f))('2'):find('^2const')) collectgarbage('step', 5)");
  }
  lua_close(user);
  lua_close(owner);
}

static void *load_files (void *arg) {
  int seed = *(int *)arg;
  int i;
  for (i = 0; i < 12; i++) {
    lua_State *L = openstate((i % 2) ? "generational" : "incremental");
    lua_pushinteger(L, seed + i);
    lua_setglobal(L, "n");
    run(L, "load",
        "for i = 1, 40 do "
        "  local k = (i * 7 + n) % 10 "
        "  local m = assert(loadfile(dir .. '/f' .. k .. '.lua'))(k) "
        "  assert(m.number == k and m.text == 'text' .. k and m.call() == 'shared' .. k) "
        "  if (i + n) % 17 == 0 then cache.clear() end "
        "  collectgarbage('step') "
        "end "
        "assert(not loadfile(dir .. '/broken.lua')) collectgarbage()");
    lua_close(L);
  }
  return NULL;
}

static void test_cache (void) {
  pthread_t threads[NTHREADS];
  int seeds[NTHREADS];
  int i;
  lua_State *L = openstate("incremental");
  run(L, "write",
      "local function put(name, text) local f = assert(io.open(dir .. '/' .. name, 'w')) f:write(text) f:close() end "
      "for i = 0, 9 do put('f' .. i .. '.lua', 'local k = ... "
      "  return {number = k, text = \"text\" .. k, call = function() return \"shared' .. i .. '\" end}') end "
      "put('broken.lua', 'return +')");
  lua_close(L);
  for (i = 0; i < NTHREADS; i++) {
    seeds[i] = i * 3;
    pthread_create(&threads[i], NULL, load_files, &seeds[i]);
  }
  for (i = 0; i < NTHREADS; i++) pthread_join(threads[i], NULL);
  L = openstate("incremental");
  run(L, "clear", "cache.clear()");
  lua_close(L);
}

static int clone_nothing (lua_State *L) {
  lua_newtable(L);
  lua_clonetable(L, lua_topointer(L, -1));
  return 0;
}

static int clone_private (lua_State *L) {
  luaL_loadstring(L, "return 1");
  lua_clonefunction(L, lua_topointer(L, -1));
  return 0;
}

static int share_cfunction (lua_State *L) {
  lua_pushcfunction(L, clone_nothing);
  lua_sharefunction(L, -1);
  return 0;
}

static int share_number (lua_State *L) {
  lua_pushinteger(L, 1);
  lua_sharestring(L, -1);
  return 0;
}

static void refused (lua_State *L, lua_CFunction f, const char *text) {
  lua_pushcfunction(L, f);
  if (lua_pcall(L, 0, 0, 0) == LUA_OK ||
      strstr(lua_tostring(L, -1), text) == NULL)
    fail("expected error", text);
  lua_settop(L, 0);
}

static void test_errors (void) {
  lua_State *L = openstate("incremental");
  refused(L, clone_nothing, "Not a shared table");
  refused(L, clone_private, "Not a shared proto");
  refused(L, share_cfunction, "Only Lua function can share");
  refused(L, share_number, "need a string to share");
  lua_close(L);
}

/* tables that are filled where they are */

/* build(n, array, fields): a table of n strings and numbers and 3n fields */
static int build (lua_State *L) {
  lua_Integer i, n = luaL_checkinteger(L, 1);
  void *t = lua_buildtable(L, (int)luaL_checkinteger(L, 2),
                           (int)luaL_checkinteger(L, 3));
  char text[32];
  for (i = 1; i <= n; i++) {
    if (i % 2 == 0 && lua_buildindex(t, i, LUA_VIEWINTEGER, i)) continue;
    if (i % 2 == 0) lua_buildvalue(L, LUA_VIEWINTEGER, i);
    else lua_buildstring(L, text, (size_t)sprintf(text, "text%d", (int)i));
    lua_buildindextop(L, i);
  }
  for (i = 1; i <= n; i++) {
    lua_buildfield(L, text, (size_t)sprintf(text, "i%d", (int)i),
                   LUA_VIEWINTEGER, i);
    lua_buildstring(L, text, (size_t)sprintf(text, "a text of more than 40 bytes %d", (int)i));
    lua_buildfieldtop(L, text, (size_t)sprintf(text, "s%d", (int)i));
    lua_buildtable(L, 0, (int)(i % 3));
    lua_buildfield(L, "of", 2, LUA_VIEWTRUE, 0);
    lua_buildfield(L, "none", 4, LUA_TNIL, 0);
    lua_buildfield(L, "of", 2, LUA_VIEWINTEGER, i);
    lua_buildfieldtop(L, text, (size_t)sprintf(text, "t%d", (int)i));
  }
  return 1;
}

static const char use_built[] =
  "local function check(t, n) "
  "  local count = 0 for _ in pairs(t) do count = count + 1 end "
  "  assert(count == 4 * n) "
  "  for i = 1, n do "
  "    assert(t[i] == (i % 2 == 0 and i or 'text' .. i) and t['i' .. i] == i) "
  "    assert(t['s' .. i] == 'a text of more than 40 bytes ' .. i) "
  "    assert(next(t['t' .. i]) == 'of' and t['t' .. i].of == i and next(t['t' .. i], 'of') == nil) "
  "  end "
  "end "
  "for n = 0, 24 do "
  "  for _, array in ipairs {0, n // 2, n} do "
  "    for _, fields in ipairs {0, 1, n, 3 * n} do "
  "      local t = build(n, array, fields) "
  "      check(t, n) "
  "      collectgarbage('step') t.n = n collectgarbage() t.n = nil check(t, n) "
  "    end "
  "  end "
  "end";

static void test_build (const char *collector) {
  lua_State *L = openstate(collector);
  int i, left;
  lua_gc(L, LUA_GCPARAM, LUA_GCPPAUSE, 0);
  lua_gc(L, LUA_GCPARAM, LUA_GCPSTEPSIZE, 1);
  lua_register(L, "build", build);
  run(L, "build", use_built);
  lua_close(L);
  for (i = 0; ; i++) {  /* memory ends after i blocks */
    int status;
    left = -1;
    L = lua_newstate(scarce, &left, 0);
    lua_gc(L, collector[0] == 'g' ? LUA_GCGEN : LUA_GCINC, 0, 0);
    lua_pushcfunction(L, build);
    lua_pushinteger(L, 9);
    lua_pushinteger(L, 5);
    lua_pushinteger(L, 20);
    left = i;
    status = lua_pcall(L, 3, 1, 0);
    left = -1;
    lua_gc(L, LUA_GCCOLLECT);
    lua_close(L);
    if (status == LUA_OK) break;
    if (status != LUA_ERRMEM) fail("build", "another error");
  }
  if (i < 20) fail("build", "memory was never short");
}

int main (int argc, char **argv) {
  const char *collectors[] = {"incremental", "generational"};
  int i, pass;
  if (argc != 2) fail("usage", "sharing DIRECTORY");
  dir = argv[1];
  luaL_initcodecache();
  luaL_initcodecache();
  for (pass = 0; pass < 2; pass++) {  /* without a pool of strings, then with it */
    test_errors();
    for (i = 0; i < 2; i++) {
      test_matrix(collectors[i], 0);
      test_matrix(collectors[i], 1);
      test_running(collectors[i]);
      test_use(collectors[i]);
      test_build(collectors[i]);
    }
    test_use_of_code();
    test_use_by_many();
    test_cache();
    test_strings();
    test_together();
    if (pass == 0) test_vm_snapshot();
  }
  test_module_snapshot();
  test_collisions();
  test_pieces();
  test_numbers();
  test_tables();
  test_concat();
  test_string_table();
  test_yields();
  puts("ok");
  return 0;
}
