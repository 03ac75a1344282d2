/*
** Numbers are written as C's 'snprintf' writes them: integers, and floats with
** as many digits as it takes to read them back.
*/

#include "harness.h"
#include "lauxlib.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long long state = 88172645463325252ULL;

static unsigned long long number (void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static void check (lua_State *L, const char *expected) {
  size_t len;
  const char *text = luaL_tolstring(L, -1, &len);
  char buff[LUA_N2SBUFFSZ];
  unsigned size = lua_numbertocstring(L, -2, buff);
  if (len != strlen(expected) || strcmp(text, expected) != 0) fail(expected, text);
  if (size != len + 1 || strcmp(buff, expected) != 0) fail(expected, buff);
  lua_pop(L, 2);
}

static void integer (lua_State *L, lua_Integer n) {
  char expected[32];
  snprintf(expected, sizeof(expected), LUA_INTEGER_FMT, n);
  lua_pushinteger(L, n);
  check(L, expected);
}

static void real (lua_State *L, double n) {
  char expected[64];
  snprintf(expected, sizeof(expected), "%.15g", n);
  if (strtod(expected, NULL) != n)
    snprintf(expected, sizeof(expected), "%.17g", n);
  if (expected[strspn(expected, "-0123456789")] == '\0')
    strcat(expected, ".0");
  lua_pushnumber(L, n);
  check(L, expected);
}

void test_numbers (void) {
  static const double edges[] = {
    0.0, -0.0, 0.1, 0.5, -0.5, 1.0, 9.5, 10.0, 99.999999, 100.25, 0.0001, 0.000099999, 0.00012345, 1.0 / 3, 123456.789,
    999999999.0, 999999999.999999, 999999999.9999999, 1e9, -1e9, 1e15, 1e16, 1e100, 4503599627370496.5, INFINITY,
  };
  lua_State *L = luaL_newstate();
  double ten = 1;
  int i, decimals;
  if (L == NULL) fail("newstate", "no memory");
  integer(L, 0);
  integer(L, LUA_MININTEGER);
  integer(L, LUA_MAXINTEGER);
  for (i = 0; i < 20000; i++) {
    lua_Integer n = (lua_Integer)(number() >> number() % 64);
    integer(L, n);
    integer(L, -n);
  }
  for (i = 0; i < (int)(sizeof(edges) / sizeof(edges[0])); i++) {
    real(L, edges[i]);
    real(L, nextafter(edges[i], 0));
    real(L, nextafter(edges[i], 1e300));
  }
  for (decimals = 0; decimals < 9; decimals++, ten *= 10) {
    for (i = 0; i < 4000; i++) {
      double whole = (double)(long long)(number() >> (24 + number() % 40));
      real(L, whole / ten);
      real(L, -whole / ten);
      real(L, nextafter(whole / ten, 1e300));
    }
  }
  lua_close(L);
}
