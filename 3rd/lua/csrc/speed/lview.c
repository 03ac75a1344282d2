/*
** lview.c
** See lview.h.
*/

#define lview_c
#define LUA_CORE

#include "lprefix.h"

#include <string.h>

#include "lview.h"

#include "lobject.h"
#include "lstate.h"
#include "lstring.h"
#include "ltable.h"


/* kinds are tags, but for strings, nil and what has several tags */
typedef char kindsaretags[
  LUA_VIEWINTEGER == LUA_VNUMINT && LUA_VIEWFLOAT == LUA_VNUMFLT &&
  LUA_VIEWFALSE == LUA_VFALSE && LUA_VIEWTRUE == LUA_VTRUE &&
  LUA_TTABLE == LUA_VTABLE && LUA_TLIGHTUSERDATA == LUA_VLIGHTUSERDATA &&
  sizeof(Value) == sizeof(((lua_View *)0)->u) ? 1 : -1];


/* The value with that tag. Without a jump that depends on it: neighbours
   have different ones. */
static inline void show (lua_View *view, int tag, const Value *value) {
  int type = novariant(tag);
  view->kind = tag;
  memcpy(&view->u, value, sizeof(Value));
  if (type == LUA_TSTRING) {
    TString *ts = gco2ts(value->gc);
    view->kind = LUA_TSTRING;
    if (strisshr(ts)) {
      view->len = cast_sizet(ts->shrlen);
      view->u.s = getshrstr(ts);
    }
    else {
      view->len = ts->u.lnglen;
      view->u.s = getlngstr(ts);
    }
  }
  else if (l_unlikely(type == LUA_TNIL || type > LUA_TTABLE))
    view->kind = type;
}


LUA_API void lua_view (lua_State *L, int arg, lua_View *view) {
  const TValue *o = s2v(L->ci->func.p + arg);
  lua_assert(arg >= 1 && L->ci->func.p + arg < L->top.p);
  show(view, ttypetag(o), &o->value_);
}


LUA_API int lua_viewblock (lua_State *L, void **block, lua_Integer *size) {
  StkId arg = L->ci->func.p + 1;
  if (L->top.p - arg < 2 || !ttislightuserdata(s2v(arg)) ||
      !ttisinteger(s2v(arg + 1)))
    return 0;
  *block = pvalue(s2v(arg));
  *size = ivalue(s2v(arg + 1));
  return 1;
}


LUA_API int lua_viewtable (lua_State *L, const void *table, size_t *len,
                           unsigned int *pos) {
  Table *t = cast(Table *, cast_voidp(table));
  sethvalue2s(L, L->top.p, t);
  L->top.p++;
  lua_assert(L->top.p <= L->ci->top.p);
  *len = cast_sizet(luaH_getn(L, t));
  *pos = (*len < t->asize) ? cast_uint(*len) : t->asize;
  return t->metatable != NULL;
}


LUA_API void lua_viewindex (const void *table, lua_Integer index,
                            lua_View *view) {
  Table *t = cast(Table *, cast_voidp(table));
  lua_Unsigned k = l_castS2U(index) - 1u;
  if (k < t->asize)
    show(view, withvariant(*getArrTag(t, k)), getArrVal(t, k));
  else {
    TValue v;
    int tag = luaH_getint(t, index, &v);
    show(view, withvariant(tag), &v.value_);
  }
}


LUA_API int lua_viewnext (const void *table, unsigned int *pos,
                          lua_View *key, lua_View *value) {
  const Table *t = cast(const Table *, table);
  unsigned int asize = t->asize;
  unsigned int i = *pos;
  for (; i < asize; i++) {
    int tag = *getArrTag(t, i);
    if (!tagisempty(tag)) {
      key->kind = LUA_VIEWINTEGER;
      key->u.i = cast(lua_Integer, i) + 1;
      show(value, withvariant(tag), getArrVal(t, i));
      *pos = i + 1;
      return 1;
    }
  }
  for (i -= asize; i < sizenode(t); i++) {
    const Node *n = gnode(t, i);
    if (!isempty(gval(n))) {
      show(key, withvariant(keytt(n)), &keyval(n));
      show(value, ttypetag(gval(n)), &gval(n)->value_);
      *pos = i + 1 + asize;
      return 1;
    }
  }
  return 0;
}
