/*
** ldebugger.c
** What a debugger needs beyond the official interface ('ldebugger.h').
*/

#include "lprefix.h"
#define LUA_CORE
#include "ldebugger.h"

#include "lstate.h"
#include "lobject.h"
#include "ldebug.h"
#include "ldo.h"
#include "lgc.h"


static lua_ErrorWatcher watcher = NULL;  /* atomic */


LUA_API void lua_watcherrors (lua_ErrorWatcher newwatcher) {
  __atomic_store_n(&watcher, newwatcher, __ATOMIC_RELEASE);
}


void luaG_raised (lua_State *L) {
  lua_ErrorWatcher w = __atomic_load_n(&watcher, __ATOMIC_ACQUIRE);
  if (l_unlikely(w != NULL))
    w(L);
}


static void linesof (const Proto *p, lua_EachLine each, void *ud) {
  int i;
  int last = -1;
  if (p->lineinfo != NULL) {
    /* the first instruction of a vararg function does not count */
    for (i = isvararg(p) ? 1 : 0; i < p->sizelineinfo; i++) {
      int line = luaG_getfuncline(p, i);
      if (line != last)
        each(ud, last = line);
    }
  }
  for (i = 0; i < p->sizep; i++)
    linesof(p->p[i], each, ud);
}


LUA_API void lua_activelines (lua_State *L, int idx, lua_EachLine each,
                              void *ud) {
  const LClosure *f = (const LClosure *)lua_topointer(L, idx);
  if (f != NULL && lua_isfunction(L, idx) && !lua_iscfunction(L, idx))
    linesof(f->p, each, ud);
}


LUA_API int lua_getcaller (lua_State *L, lua_Debug *ar) {
  CallInfo *caller = ar->i_ci->previous;
  if (caller == NULL || caller == &L->base_ci)
    return 0;
  ar->i_ci = caller;
  return 1;
}


LUA_API int lua_isfinalizer (lua_State *L, const lua_Debug *ar) {
  const CallInfo *caller = ar->i_ci->previous;
  UNUSED(L);
  return caller != NULL && (caller->callstatus & CIST_FIN) != 0;
}


LUA_API ptrdiff_t lua_framebase (lua_State *L, const lua_Debug *ar) {
  const CallInfo *ci = ar->i_ci;
  ptrdiff_t base = ci->func.p - L->stack.p;
  if (isLua(ci)) {
    const Proto *p = ci_func(ci)->p;
    /* the first instruction moves such a function above its arguments */
    if ((p->flag & PF_VAHID) && pcRel(ci->u.l.savedpc, p) > 0)
      base -= ci->u.l.nextraargs + p->numparams + 1;
  }
  return base;
}


typedef struct Contained {
  lua_Contained f;
  void *ud;
  int returned;
} Contained;


static void contained (lua_State *mainth, void *ud) {
  Contained *c = (Contained *)ud;
  c->f(mainth, c->ud);
  c->returned = 1;
}


LUA_API int lua_contain (lua_State *L, lua_Contained f, void *ud) {
  lua_State *mainth = mainthread(G(L));
  ptrdiff_t top = savestack(mainth, mainth->top.p);
  Contained c;
  int status;
  c.f = f;
  c.ud = ud;
  c.returned = 0;
  status = luaD_pcall(mainth, contained, &c, top, 0);
  if (status == LUA_OK && !c.returned) {
    /* a coroutine in no protected call has closed itself */
    mainth->top.p = restorestack(mainth, top);
    setnilvalue(s2v(mainth->top.p));
    mainth->top.p++;
    status = LUA_ERRRUN;
  }
  return status;
}


LUA_API int lua_holdgc (lua_State *L, int hold) {
  global_State *g = G(L);
  int held = (g->gcstp & GCSTPGC) != 0;
  if (hold)  /* as in a finalizer: 'luaL_pushresult' steps else */
    g->gcstp |= GCSTPGC;
  else
    g->gcstp &= cast_byte(~GCSTPGC);
  return held;
}
