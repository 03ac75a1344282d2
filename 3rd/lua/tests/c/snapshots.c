/*
** Copies of a state, and of modules after their first run.
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

static int fill_nothing (lua_State *L) {
  return luaL_error(L, "no libraries");
}

static int fill_function (lua_State *L) {
  luaL_dostring(L, "function f() end");
  return 0;
}

static int fill (lua_State *L) {
  luaL_openlibs(L);
  luaL_dostring(L, "deep = {1, 2.5, 'three', {own = {}}} deep.self = deep deep[4].own[1] = ('long'):rep(20)");
  luaL_loadstring(L, "local only_in_a_chunk");
  lua_pop(L, 1);
  return 0;
}

static int copy (lua_State *L) {
  if (!lua_copysnapshot(L)) return luaL_error(L, "no snapshot");
  return 0;
}

static lua_State *copied (const char *collector) {
  lua_State *L = luaL_newstate();
  if (L == NULL) fail("newstate", "no memory");
  lua_gc(L, collector[0] == 'g' ? LUA_GCGEN : LUA_GCINC, 0, 0);
  lua_gc(L, LUA_GCSTOP);
  lua_pushcfunction(L, copy);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) fail("copy", lua_tostring(L, -1));
  lua_gcsettle(L);
  return L;
}

static void *use_copies (void *arg) {
  int i;
  for (i = 0; i < 12; i++) {
    lua_State *L = copied((i % 2) ? "generational" : "incremental");
    if (lua_gc(L, LUA_GCISRUNNING) == 0) fail("settle", "no collector");
    run(L, "copy",
        "assert(_G._G == _G and package.loaded.string == string and package.loaded._G == _G) "
        "assert(getmetatable('').__index == string and ('x'):rep(3) == 'xxx') "
        "assert(deep.self == deep and deep[1] == 1 and deep[2] == 2.5 and deep[3] == 'three' and #deep == 4) "
        "assert(deep[4].own[1] == ('long'):rep(20) and require 'math' == math and math.random()) "
        "assert(io.type(io.stdout) == 'file' and getmetatable(io.stdout).__index.write and io.stderr ~= io.stdout) "
        "assert(debug.getregistry()[3] == coroutine.running() or debug.getregistry()[2] == _G) "
        "assert(mine == nil and string.mine == nil and deep.mine == nil and deep[5] == nil) "
        "mine, string.mine, deep.mine, deep[5] = 1, 2, {}, {} "
        "for i = 1, 200 do local s = 'k' .. i _G[s], deep[s], package.loaded[s] = {s}, {s}, {s} "
        "  if i % 40 == 0 then collectgarbage() end collectgarbage('step', 1) end "
        "for i = 1, 200 do local s = 'k' .. i assert(_G[s][1] == s and deep[s][1] == s and package.loaded[s][1] == s) end "
        "local all = _G for k in pairs(all) do all[k] = nil end");
    lua_close(L);
  }
  return arg;
}

void test_vm_snapshot (void) {
  pthread_t threads[NTHREADS];
  int i, left = -1;
  lua_State *one, *other;
  one = luaL_newstate();
  if (lua_copysnapshot(one)) fail("snapshot", "there is none yet");
  if (lua_makesnapshot(fill_nothing)) fail("snapshot", "an error in it");
  if (lua_makesnapshot(fill_function)) fail("snapshot", "a Lua function in it");
  if (lua_copysnapshot(one)) fail("snapshot", "there is none still");
  if (!lua_makesnapshot(fill)) fail("snapshot", "is not made");
  lua_close(one);  /* it has strings of its own that are in the pool now */
  one = copied("incremental");
  other = copied("generational");
  lua_pushstring(one, "only_in_a_chunk");
  lua_pushstring(other, "only_in_a_chunk");
  if (lua_tostring(one, -1) != lua_tostring(other, -1))
    fail("pool", "two strings of one text");
  lua_pushstring(one, "in no chunk");
  lua_pushstring(other, "in no chunk");
  if (lua_tostring(one, -1) == lua_tostring(other, -1))
    fail("pool", "a string that is no part of it");
  lua_close(one);
  lua_close(other);
  for (i = 0; i < NTHREADS; i++)
    pthread_create(&threads[i], NULL, use_copies, NULL);
  for (i = 0; i < NTHREADS; i++) pthread_join(threads[i], NULL);
  for (i = 0; ; i++) {  /* memory ends after i blocks of the copy */
    int status;
    left = -1;
    one = lua_newstate(scarce, &left, 0);
    lua_gc(one, LUA_GCSTOP);
    lua_pushcfunction(one, copy);
    left = i;
    status = lua_pcall(one, 0, 0, 0);
    left = -1;
    lua_close(one);
    if (status == LUA_OK) break;
    if (status != LUA_ERRMEM) fail("scarce", "another error");
  }
  if (i < 20) fail("scarce", "memory was never short");
}

/* modules that are copied after their first run */

static void writefile (const char *name, const char *text) {
  char path[512];
  FILE *f;
  snprintf(path, sizeof(path), "%s/%s", dir, name);
  f = fopen(path, "w");
  if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0) fail("file", path);
}

static int open_modules (lua_State *L) {
  luaL_openlibs(L);
  return 0;
}

static int genuine (const char *module, const char *filename) {
  return strstr(filename, module) != NULL;
}

static const char use_modules[] =
  "local outer = require 'outer' local inner = package.loaded.inner "
  "assert(outer == require 'outer' and outer.inner == inner and package.loaded.between.inner == inner) "
  "assert(package.loaded.nothing == true and inner.added) "
  "assert(inner.count() == 1 and inner.count() == 2 and outer.total() == 2) "
  "assert(inner.upper('x') == upper_is and inner.create == coroutine.create and outer.env() == _G) "
  "assert(getmetatable(outer).__index(nil, 'k') == 'k' and outer.other == 'other' and outer.list[3] == 'three') "
  "assert(outer.mine == nil and inner.list == nil) "
  "outer.mine, inner.list = {}, {} "
  "for i = 1, 100 do outer[i], inner[i] = {i}, function() return i end "
  "  if i % 25 == 0 then collectgarbage() end collectgarbage('step', 1) end "
  "for i = 1, 100 do assert(outer[i][1] == i and inner[i]() == i) end "
  "assert(inner.count() == 3 and outer.total() == 3)";

static void setpath (lua_State *L) {
  lua_getglobal(L, "package");
  lua_pushfstring(L, "%s/?.lua", dir);
  lua_setfield(L, -2, "path");
  lua_pop(L, 1);
}

static void *take_modules (void *arg) {
  int i;
  for (i = 0; i < 12; i++) {
    lua_State *L = copied((i % 2) ? "generational" : "incremental");
    setpath(L);
    if (i % 3 == 0)  /* found when it is taken, not when it was made */
      run(L, "replaced", "function string.upper() return 'replaced' end upper_is = 'replaced'");
    else
      run(L, "usual", "upper_is = 'X'");
    run(L, "modules", use_modules);
    if (i == 6) {
      luaL_requiref(L, "skynet.codecache", luaopen_cache, 0);
      lua_pop(L, 1);
      run(L, "clear", "require 'skynet.codecache'.clear()");
    }
    lua_close(L);
  }
  return arg;
}

static int open_with_path (lua_State *L) {
  luaL_openlibs(L);
  setpath(L);
  return 0;
}

static int require_outer (lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushstring(L, "outer");
  lua_call(L, 1, 0);
  return 0;
}

void test_module_snapshot (void) {
  static const char *const names[] = {"inner", "between", "nothing", NULL};
  pthread_t threads[NTHREADS];
  int i;
  lua_State *L;
  writefile("inner.lua",
    "local upper, create = string.upper, coroutine.create\nlocal n = 0\n"
    "local function up(s) return upper(s) end\n"
    "return {count = function() n = n + 1 return n end, total = function() return n end, upper = up, create = create}");
  writefile("between.lua", "return {inner = require 'inner'}");
  writefile("nothing.lua", "require 'inner'.added = true");
  writefile("outer.lua",
    "local inner = require 'between'.inner\nrequire 'nothing'\n"
    "return setmetatable({inner = inner, total = inner.total, env = function() return _G end, list = {1, 2, 'three', {}}}, "
    "{__index = function(_, key) if key ~= 'mine' and type(key) == 'string' then return key end end})");
  lua_setmodulesnapshot("outer", names, open_modules, genuine);
  for (i = 0; i < NTHREADS; i++)
    pthread_create(&threads[i], NULL, take_modules, NULL);
  for (i = 0; i < NTHREADS; i++) pthread_join(threads[i], NULL);
  L = copied("generational");
  setpath(L);
  run(L, "loader", "assert(debug.getinfo(package.searchers[2]('outer'), 'S').what == 'C')");
  run(L, "hook", "debug.sethook(function() lines = (lines or 0) + 1 end, 'l') require 'outer' debug.sethook() assert(lines > 3)");
  lua_close(L);
  for (i = 0; ; i++) {  /* memory ends after i blocks */
    int left = -1;
    int status;
    L = lua_newstate(scarce, &left, 0);
    lua_pushcfunction(L, open_with_path);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK) fail("scarce", lua_tostring(L, -1));
    lua_pushcfunction(L, require_outer);
    left = i;
    status = lua_pcall(L, 0, 0, 0);
    left = -1;
    lua_gc(L, LUA_GCCOLLECT);
    lua_gc(L, LUA_GCCOLLECT);
    if (status == LUA_OK) {
      run(L, "scarce", "upper_is = 'X'");
      run(L, "scarce", use_modules);
    }
    lua_close(L);
    if (status == LUA_OK) break;
    if (status != LUA_ERRMEM) fail("scarce", "another error");
  }
  if (i < 20) fail("scarce", "memory was never short");
}
