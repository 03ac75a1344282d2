/*
** lshare.c
** Sharing of strings, prototypes and tables between Lua states.
*/

#define lshare_c
#define LUA_CORE

#include "lprefix.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lua.h"

#include "ldo.h"
#include "lfunc.h"
#include "lgc.h"
#include "lshare.h"
#include "lstate.h"
#include "lstring.h"
#include "lobject.h"
#include "ldebug.h"


/*
** C modules read these fields through the macros of 'lgc.h', so the places
** are part of the binary interface.
*/
#if UINTPTR_MAX == UINT64_MAX && defined(__GNUC__)
__extension__ _Static_assert(offsetof(GCObject, marked) == 9, "marked");
__extension__ _Static_assert(offsetof(lua_State, l_G) == 24, "l_G");
__extension__ _Static_assert(offsetof(global_State, seed) == 96, "seed");
#endif


/*
** One that is shared already: its strings may not be known to whom a state
** without a set of its own hands it on to ('luaS_share').
*/
void luaF_share (global_State *g, Proto *p) {
  int i;
  if (p == NULL || (isshared(p) && g->ownset != NULL)) return;
  luaS_share(g, p->source);
  for (i = 0; i < p->sizek; i++) {
    if (ttisstring(&p->k[i]))
      luaS_share(g, tsvalue(&p->k[i]));
  }
  for (i = 0; i < p->sizeupvalues; i++)
    luaS_share(g, p->upvalues[i].name);
  for (i = 0; i < p->sizelocvars; i++)
    luaS_share(g, p->locvars[i].varname);
  for (i = 0; i < p->sizep; i++)
    luaF_share(g, p->p[i]);
  if (!isshared(p)) makeshared(p);
}


unsigned luaE_commonseed (unsigned wanted) {
  static uint64_t chosen = 0;  /* bit 32 tells that there is a choice */
  uint64_t now = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
  if (now == 0) {
    uint64_t mine = (UINT64_C(1) << 32) | wanted;
    if (__atomic_compare_exchange_n(&chosen, &now, mine, 0,
                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
      now = mine;
  }
  return cast_uint(now & 0xffffffffu);
}


/* Lua closure at 'index'; raises an error for anything else */
static LClosure *luafunction (lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TFUNCTION || lua_iscfunction(L, index))
    luaG_runerror(L, "Only Lua function can share");
  return cast(LClosure *, cast_voidp(lua_topointer(L, index)));
}


LUA_API void lua_sharefunction (lua_State *L, int index) {
  LClosure *cl;
  cl = luafunction(L, index);
  luaF_share(G(L), cl->p);
}


LUA_API void lua_keepopen (lua_State *L) {
  G(L)->ownset = luaS_permanentset();
}


LUA_API void lua_sharestring (lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TSTRING)
    luaG_runerror(L, "need a string to share");
  luaS_share(G(L), cast(TString *, cast_voidp(lua_topointer(L, index))));
}


LUA_API void lua_clonefunction (lua_State *L, const void *fp) {
  const LClosure *from = cast(const LClosure *, fp);
  LClosure *cl;
  if (l_unlikely(from == NULL || from->tt != LUA_VLCL || !isshared(from->p)))
    luaG_runerror(L, "Not a shared proto");
  luaS_meetshared(L);
  cl = luaF_newLclosure(L, from->nupvalues);
  setclLvalue2s(L, L->top.p, cl);  /* anchor it */
  L->top.p++;
  lua_assert(L->top.p <= L->ci->top.p);
  cl->p = from->p;
  luaF_initupvals(L, cl);
  if (cl->nupvalues >= 1) {  /* the first one is the environment */
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_setupvalue(L, -2, 1);
  }
  luaC_checkGC(L);
}


LUA_API void lua_clonetable (lua_State *L, const void *tp) {
  Table *t = cast(Table *, cast_voidp(tp));
  if (l_unlikely(t == NULL || t->tt != LUA_VTABLE || !isshared(t)))
    luaG_runerror(L, "Not a shared table");
  luaS_meetshared(L);
  sethvalue2s(L, L->top.p, t);
  L->top.p++;
  lua_assert(L->top.p <= L->ci->top.p);
}
