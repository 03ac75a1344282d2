/*
** What the tests of the patched Lua share.
*/

#include "harness.h"
#include "lualib.h"
#include "lauxlib.h"

#include <stdio.h>
#include <stdlib.h>

const char *dir;

void fail (const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

void run (lua_State *L, const char *what, const char *code) {
  if (luaL_loadstring(L, code) != LUA_OK || lua_pcall(L, 0, 0, 0) != LUA_OK)
    fail(what, lua_tostring(L, -1));
}

lua_State *openstate (const char *collector) {
  lua_State *L = luaL_newstate();
  if (L == NULL) fail("newstate", "no memory");
  luaL_openlibs(L);
  luaL_requiref(L, "skynet.codecache", luaopen_cache, 0);
  lua_setglobal(L, "cache");
  lua_pushstring(L, dir);
  lua_setglobal(L, "dir");
  lua_pushstring(L, collector);
  lua_setglobal(L, "collector");
  run(L, "collector", "collectgarbage(collector)");
  return L;
}

void *scarce (void *ud, void *block, size_t old, size_t size) {
  int *left = (int *)ud;
  (void)old;
  if (size == 0) {
    free(block);
    return NULL;
  }
  if (*left == 0) return NULL;
  if (*left > 0) --*left;
  return realloc(block, size);
}
