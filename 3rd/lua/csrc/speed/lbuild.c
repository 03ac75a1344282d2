/*
** lbuild.c
** See lbuild.h.
*/

#define lbuild_c
#define LUA_CORE

#include "lprefix.h"

#include "lbuild.h"
#include "lview.h"

#include "ltable.h"
#include "lstring.h"
#include "ltm.h"
#include "lgc.h"


/* kinds are tags, as lview.c checks; the same must be true of nil */
typedef char kindsaretags[
  LUA_TNIL == LUA_VNIL && sizeof(lua_Number) == sizeof(lua_Integer) ? 1 : -1];


static inline void setscalar (TValue *o, int kind, lua_Integer bits) {
  lua_assert(lua_isbuildkind(kind));
  val_(o).i = bits;
  settt_(o, cast_byte(kind));
}


LUA_API void lua_buildvalue (lua_State *L, int kind, lua_Integer bits) {
  lua_assert(L->top.p < L->ci->top.p);
  setscalar(s2v(L->top.p), kind, bits);
  L->top.p++;
}


LUA_API void lua_buildstring (lua_State *L, const char *text, size_t len) {
  lua_assert(L->top.p < L->ci->top.p);
  setsvalue2s(L, L->top.p, luaS_newlstr(L, text, len));
  L->top.p++;
  luaC_checkGC(L);
}


LUA_API void *lua_buildtable (lua_State *L, int narr, int nrec) {
  Table *t;
  lua_assert(L->top.p < L->ci->top.p);
  t = luaH_new(L);
  sethvalue2s(L, L->top.p, t);
  L->top.p++;
  if (narr > 0 || nrec > 0)
    luaH_resize(L, t, cast_uint(narr), cast_uint(nrec));
  luaC_checkGC(L);
  return t;
}


LUA_API int lua_buildindex (void *table, lua_Integer index, int kind,
                            lua_Integer bits) {
  Table *t = cast(Table *, table);
  lua_Unsigned k = l_castS2U(index) - 1u;
  if (l_unlikely(k >= t->asize))
    return 0;
  getArrVal(t, k)->i = bits;
  *getArrTag(t, k) = cast_byte(kind);
  return 1;
}


LUA_API void lua_buildindextop (lua_State *L, lua_Integer index) {
  TValue *v = s2v(L->top.p - 1);
  Table *t = hvalue(s2v(L->top.p - 2));
  lua_Unsigned k = l_castS2U(index) - 1u;
  if (l_likely(k < t->asize))
    obj2arr(t, cast_uint(k), v);
  else
    luaH_setint(L, t, index, v);
  luaC_barrierback(L, obj2gco(t), v);
  L->top.p--;
}


/*
** t[text] = value, where most texts are new in the table. The key is pushed
** while that is needed to keep it alive: a place of its own that nobody has
** used before takes no memory, everything else is left to the table.
*/
static inline void setfield (lua_State *L, Table *t, const char *text,
                             size_t len, TValue *value) {
  TString *key = luaS_newlstr(L, text, len);
  Node *n = gnode(t, lmod(key->hash, sizenode(t)));
  lua_assert(strisshr(key));
  if (l_likely(keyisnil(n) && !isdummy(t) && !isempty(value))) {
    n->u.key_tt = ctb(LUA_VSHRSTR);
    keyval(n).gc = obj2gco(key);
    setobj(L, gval(n), value);
    if (isblack(t) && iswhite(key))
      luaC_barrierback_(L, obj2gco(t));
  }
  else {
    setsvalue2s(L, L->top.p, key);
    L->top.p++;
    luaH_set(L, t, s2v(L->top.p - 1), value);
    L->top.p--;
  }
  invalidateTMcache(t);
}


LUA_API void lua_buildfield (lua_State *L, const char *text, size_t len,
                             int kind, lua_Integer bits) {
  TValue value;
  setscalar(&value, kind, bits);
  setfield(L, hvalue(s2v(L->top.p - 1)), text, len, &value);
  luaC_checkGC(L);
}


LUA_API void lua_buildfieldtop (lua_State *L, const char *text, size_t len) {
  TValue *v = s2v(L->top.p - 1);
  Table *t = hvalue(s2v(L->top.p - 2));
  setfield(L, t, text, len, v);
  luaC_barrierback(L, obj2gco(t), v);
  L->top.p--;
  luaC_checkGC(L);
}
