/*
** collisions.c
** Tables whose keys were chosen to come to one chain.
*/

#include "harness.h"
#include "lauxlib.h"
#include "lualib.h"

#include "lobject.h"
#include "lstate.h"
#include "ltable.h"

#include <stdio.h>
#include <stdlib.h>

/* nodes of a chain, as in 'ltable.c', and the new one */
#define LONGEST		65
/* log2 of the size from which on that holds */
#define LARGE		8


static const Table *table (lua_State *L, int index) {
  luaL_checktype(L, index, LUA_TTABLE);
  return cast(const Table *, lua_topointer(L, index));
}


/* nodes of the longest chain: what no 'next' leads to begins one */
static int longest (const Table *t) {
  int i, found = 0, size = (int)sizenode(t);
  char *inside = (char *)calloc((size_t)size, 1);
  for (i = 0; i < size; i++) {
    if (gnext(gnode(t, i)) != 0)
      inside[i + gnext(gnode(t, i))] = 1;
  }
  for (i = 0; i < size; i++) {
    const Node *n = gnode(t, i);
    int length = 1;
    if (inside[i]) continue;
    for (; gnext(n) != 0; n += gnext(n)) length++;
    if (length > found) found = length;
  }
  free(inside);
  return found;
}


/* bounded(t) */
static int bounded (lua_State *L) {
  const Table *t = table(L, 1);
  int length = longest(t);
  if (t->lsizenode >= LARGE && length > LONGEST)
    return luaL_error(L, "a chain of %d nodes among %d", length,
                      (int)sizenode(t));
  return 0;
}


static int scattered (lua_State *L) {
  lua_pushboolean(L, isscattered(table(L, 1)) != 0);
  return 1;
}


/* presized(n): a table with so many nodes at least */
static int presized (lua_State *L) {
  lua_createtable(L, 0, (int)luaL_checkinteger(L, 1));
  return 1;
}


static const char families[] =
  "local N = 5000\n"
  "local M = ((1 << 12) - 1) * ((1 << 13) - 1)\n"
  "local function other (i) return 7919 * i + 3 end\n"
  "function families ()\n"
  "  return {\n"
  "    integers = function (i) return i * M end,\n"
  "    negative = function (i) return -i * M end,\n"
  "    last = function (i) return i * ((1 << 13) - 1) end,\n"
  "    floats = function (i) return 1 + i * 2^-52 end,\n"
  "    both = function (i)\n"
  "      return i % 2 == 0 and i * M or 1 + i * 2^-52 end,\n"
  "    times = function (i) return 1.7e9 + i / 1000 + 0.0001 end,\n"  /* chance */
  "    mixed = function (i)\n"
  "      return i % 2 == 0 and i * M or other(i) end,\n"
  /* their places are those at the end, which free nodes are taken from */
  "    displaced = function (i)\n"
  "      return i % 2 == 0 and i * M or M * N + (1 << 13) - 1 - i end,\n"
  "  }\n"
  "end\n"
  "function honest ()\n"
  "  return {\n"
  "    ids = function (i) return 100000000 + i end,\n"
  "    thousands = function (i) return i * 1000 end,\n"
  "    blocks = function (i) return i << 16 end,\n"
  "    halves = function (i) return i + 0.5 end,\n"
  "    words = function (i) return 'w' .. i end,\n"
  "    others = other,\n"
  "  }\n"
  "end\n"
  "function holds (t, key, n)\n"
  "  for i = 1, n do assert(t[key(i)] == i) end\n"
  "  local count, sum = 0, 0\n"
  "  for k, v in pairs(t) do count = count + 1; sum = sum + v end\n"
  "  assert(count == n and sum == n * (n + 1) // 2)\n"
  "end\n"
  "function check (new, key)\n"
  "  local t = new()\n"
  "  for i = 1, N do\n"
  "    t[key(i)] = i\n"
  "    if i % 500 == 0 then bounded(t) end\n"
  "  end\n"
  "  bounded(t)\n"
  "  holds(t, key, N)\n"
  "  for i = 1, N do t[key(i)] = nil end\n"
  "  assert(next(t) == nil)\n"
  /* smaller, larger and smaller again */
  "  for i = 1, 10 do t[key(i)] = i end\n"
  "  holds(t, key, 10)\n"
  "  for i = 1, N do t[key(i)] = i end\n"
  "  bounded(t)\n"
  "  holds(t, key, N)\n"
  "  return t\n"
  "end\n"
  /* an array that becomes part of the hash */
  "function shrinking ()\n"
  "  local t = {}\n"
  "  for i = 1, N do t[i] = i end\n"
  "  for i = 1, N do if i % 16 ~= 0 then t[i] = nil end end\n"
  "  for i = N + 1, 2 * N do t[i * M] = i end\n"
  "  bounded(t)\n"
  "  for i = 16, N, 16 do assert(t[i] == i) end\n"
  "  for i = N + 1, 2 * N do assert(t[i * M] == i) end\n"
  "end\n";


static int left = -1;  /* blocks that can be taken */


/* put(t, key, value): once without memory */
static int put (lua_State *L) {
  int status;
  lua_settop(L, 3);
  lua_getglobal(L, "rawset");
  lua_insert(L, 1);
  lua_pushvalue(L, 1); lua_pushvalue(L, 2);
  lua_pushvalue(L, 3); lua_pushvalue(L, 4);
  left = 0;
  status = lua_pcall(L, 3, 0, 0);
  left = -1;
  if (status == LUA_OK) return 0;
  if (status != LUA_ERRMEM) return lua_error(L);
  lua_settop(L, 4);
  lua_call(L, 3, 0);
  lua_pushboolean(L, 1);
  return 1;
}


static void define (lua_State *L) {
  static const luaL_Reg functions[] = {
    {"bounded", bounded}, {"scattered", scattered}, {"presized", presized},
    {"put", put}, {NULL, NULL}
  };
  const luaL_Reg *f;
  for (f = functions; f->name != NULL; f++)
    lua_register(L, f->name, f->func);
  run(L, "families", families);
}


void test_collisions (void) {
  lua_State *L = openstate("incremental");
  define(L);
  run(L, "chosen keys",
    "for name, key in pairs(families()) do\n"
    "  for _, new in ipairs{function () return {} end,\n"
    "      function () return presized(5000) end} do\n"
    "    local ok, err = pcall(check, new, key)\n"
    "    assert(ok, name .. ': ' .. tostring(err))\n"
    "  end\n"
    "end\n"
    "shrinking()\n");
  run(L, "honest keys",
    "for name, key in pairs(honest()) do\n"
    "  local t = check(function () return {} end, key)\n"
    "  assert(not scattered(t), name)\n"
    "end\n");
  lua_close(L);
  L = lua_newstate(scarce, &left, 0);
  luaL_openlibs(L);
  define(L);
  run(L, "without memory",
    "for name, key in pairs(families()) do\n"
    "  local t, failed = {}, 0\n"
    "  for i = 1, 2000 do\n"
    "    if put(t, key(i), i) then\n"
    "      failed = failed + 1\n"
    "      holds(t, key, i)\n"
    "    end\n"
    "  end\n"
    "  bounded(t)\n"
    "  holds(t, key, 2000)\n"
    "  assert(failed >= 10, name)\n"
    "end\n");
  lua_close(L);
}
