/*
** Concatenation gives the text of its values one after the other, whatever
** they are: strings of all lengths, numbers, and what has a metamethod, which
** sees what stock Lua shows it. Also when memory ends in between.
*/

#include "harness.h"
#include "lauxlib.h"
#include "lualib.h"

static const char *const values =
  "local seen "
  "local object = setmetatable({}, {__concat = function (a, b) "
  "  seen = (type(a) == 'table' and 'o' or tostring(a)) .. '|' .. (type(b) == 'table' and 'o' or tostring(b)) "
  "  return 'm' end, __tostring = function () return 'object' end}) "
  "local values = {'', 'a', 'ab', 'abc', 'abcd', 'abcdefgh', ('x'):rep(16), ('y'):rep(39), ('z'):rep(40), "
  "  ('w'):rep(41), ('v'):rep(3000), 0, 7, -12, 1234567, math.mininteger, math.maxinteger, 0.5, -0.0, 1e100, "
  "  123456.789, 1 / 0, 3.0, object} "
  /* two values, in the way that does not concatenate */
  "local function two (a, b) "
  "  if type(a) == 'table' or type(b) == 'table' then return 'm' end "
  "  return table.concat {tostring(a), tostring(b)} end "
  "local makers = {} "
  "for n = 2, 12 do "
  "  local names = {} for i = 1, n do names[i] = 'v' .. i end "
  "  makers[n] = load('local ' .. table.concat(names, ', ') .. ' = ... return ' .. table.concat(names, ' .. ')) end "
  "local function check (...) "
  "  local list = {...} "
  "  local expected = list[#list] "
  "  for i = #list - 1, 1, -1 do expected = two(list[i], expected) end "
  "  local got = makers[#list](...) "
  "  assert(type(got) == 'string' and got == expected and #got == #expected, got) end "
  "for _, a in ipairs(values) do for _, b in ipairs(values) do "
  "  check(a, b) check(a, b, a) check('key', a, b) check(a, 1, 2, b) end end "
  "local state = 1 "
  "for round = 1, 1000 do "
  "  local list = {} "
  "  for i = 1, 2 + round % 11 do "
  "    state = state * 6364136223846793005 + 1442695040888963407 "
  "    list[i] = values[(state >> 33) % #values + 1] end "
  "  check(table.unpack(list)) end "
  /* numbers are shown to the metamethod as stock Lua does: those that it has come past are strings */
  "local _ = 1 .. object assert(seen == '1|o') _ = object .. 2 .. 'x' assert(seen == 'o|2x') "
  "_ = 3 .. object .. 4 assert(seen == 'o|4') "
  "assert(math.type(1 .. '') == nil and type(1 .. '') == 'string' and '' .. 10 == '10' and 1 .. 2 == '12') "
  "for _, bad in ipairs {{}, print, false} do "
  "  local ok, why = pcall(function () return 'x' .. 1 .. bad end) "
  "  assert(not ok and why:find('attempt to concatenate', 1, true), why) "
  "  ok, why = pcall(function () return bad .. 1 .. 'x' end) "
  "  assert(not ok and why:find('attempt to concatenate', 1, true), why) end ";

static const char *const strings =
  "local t = {} for i = 1, 12 do t[i] = 'k' .. i .. '/' .. i + 0.5 t[-i] = ('long'):rep(20) .. i end return #t";

void test_concat (void) {
  int left = -1, i;
  lua_State *L = lua_newstate(scarce, &left, 0);
  if (L == NULL) fail("newstate", "no memory");
  luaL_openlibs(L);
  run(L, "concatenation", values);
  for (i = 0; ; i++) {  /* memory ends after i blocks */
    int status;
    lua_settop(L, 0);
    if (luaL_loadstring(L, strings) != LUA_OK) fail("concatenation", lua_tostring(L, -1));
    left = i;
    status = lua_pcall(L, 0, 1, 0);
    left = -1;
    lua_gc(L, LUA_GCCOLLECT);
    if (status == LUA_OK) break;
    if (status != LUA_ERRMEM) fail("concatenation", lua_tostring(L, -1));
  }
  if (i < 20) fail("concatenation", "memory was never short");
  lua_close(L);
}

/* strings that come and go, and then are fewer */
void test_string_table (void) {
  static const char *const modes[] = {"incremental", "generational"};
  int i;
  for (i = 0; i < 2; i++) {
    lua_State *L = openstate(modes[i]);
    run(L, "string table",
      "for round = 1, 5 do "
      "  local kept = {} "
      "  for i = 1, 6000 do local s = 'k' .. i if i % 100 == 0 then kept[#kept + 1] = s end end "
      "  collectgarbage() "
      "  for i = 1, #kept do assert(kept[i] == 'k' .. i * 100) end end "
      "for i = 1, 20 do collectgarbage() end ");
    lua_close(L);
  }
}
