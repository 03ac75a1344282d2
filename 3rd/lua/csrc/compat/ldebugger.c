/*
** ldebugger.c
** What a debugger needs beyond the official interface ('ldebugger.h').
*/

#include "lprefix.h"
#define LUA_CORE
#include "ldebugger.h"

#include <limits.h>

#include "lstate.h"
#include "lobject.h"
#include "ldebug.h"
#include "ldo.h"
#include "lfunc.h"
#include "lgc.h"
#include "lparser.h"
#include "ltable.h"
#include "lvm.h"


static lua_ErrorWatcher watcher = NULL;  /* atomic */


LUA_API void lua_watcherrors (lua_ErrorWatcher newwatcher) {
  __atomic_store_n(&watcher, newwatcher, __ATOMIC_RELEASE);
}


/* the size of a stack that has overflowed is larger ('ldo.c') */
#define MOSTSTACK	1000000


/* whether the message handler was called for an error of its own */
static int handlesitself (lua_State *L) {
  const CallInfo *ci;
  StkId handler = restorestack(L, L->errfunc);
  int n = 0;
  if (L->errfunc == 0)
    return 0;
  for (ci = L->ci; ci != NULL && ci->func.p > handler; ci = ci->previous) {
    if (luaV_rawequalobj(s2v(ci->func.p), s2v(handler)) && ++n > 1)
      return 1;
  }
  return 0;
}


void luaG_raised (lua_State *L) {
  lua_ErrorWatcher w = __atomic_load_n(&watcher, __ATOMIC_ACQUIRE);
  if (l_unlikely(w != NULL) && getCcalls(L) < LUAI_MAXCCALLS &&
      stacksize(L) <= MOSTSTACK && !handlesitself(L))
    w(L);
}


static lua_HookWatcher hookwatcher = NULL;  /* atomic */


LUA_API void lua_watchhooks (lua_HookWatcher newwatcher) {
  __atomic_store_n(&hookwatcher, newwatcher, __ATOMIC_RELEASE);
}


LUA_API void lua_unhooked (lua_State *L) {
  lua_HookWatcher w = __atomic_load_n(&hookwatcher, __ATOMIC_ACQUIRE);
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


LUA_API int lua_localcloses (lua_State *L, const lua_Debug *ar, int n) {
  StkId place = ar->i_ci->func.p + n;
  StkId tbc = L->tbclist.p;
  while (tbc > place)  /* as 'poptbclist' does; a node without a delta is a dummy */
    tbc -= tbc->tbclist.delta > 0 ? tbc->tbclist.delta : USHRT_MAX;
  return n > 0 && tbc == place && tbc->tbclist.delta > 0;
}


LUA_API int lua_upvaluecloses (lua_State *L, int idx, int n) {
  const LClosure *f = (const LClosure *)lua_topointer(L, idx);
  if (f == NULL || !lua_isfunction(L, idx) || lua_iscfunction(L, idx))
    return 0;
  return 0 < n && n <= f->p->sizeupvalues &&
         f->p->upvalues[n - 1].kind == RDKTOCLOSE;
}


LUA_API int lua_following (lua_State *L, int idx, lua_Unsigned list,
                           size_t *place, size_t *steps) {
  Table *t = (Table *)cast_voidp(lua_topointer(L, idx));
  size_t asize = t->asize;
  size_t size = asize + sizenode(t);
  size_t i = *place;
  if (i < list)  /* no slot of the list is looked at */
    i = (list < asize) ? cast_sizet(list) : asize;
  for (; i < size; i++) {
    StkId top = L->top.p;
    if ((*steps)-- == 0) {
      *steps = 0;
      *place = i;
      return -1;
    }
    if (i < asize) {
      lu_byte tag = *getArrTag(t, i);
      if (tagisempty(tag))
        continue;
      setivalue(s2v(top), l_castU2S(i + 1));
      farr2val(t, i, tag, s2v(top + 1));
    }
    else {
      const Node *n = gnode(t, i - asize);
      if (isempty(gval(n)) ||
          (keyisinteger(n) && l_castS2U(keyival(n)) - 1u < list))
        continue;
      getnodekey(L, s2v(top), n);
      setobj2s(L, top + 1, gval(n));
    }
    L->top.p += 2;
    *place = i + 1;
    return 1;
  }
  *place = i;
  return 0;
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


LUA_API int lua_callroom (lua_State *L) {
  return L->nci;
}


/* what a coroutine was doing, as 'luaD_pcall' notes it */
typedef struct Kept {
  lua_State *L;
  CallInfo *ci;
  struct lua_longjmp *errorJmp;
  ptrdiff_t top;
  ptrdiff_t errfunc;
  l_uint32 nCcalls;
  lu_byte allowhook;
} Kept;


typedef struct Containment {
  Kept kept[LUA_MOSTCONTAINED + 1];  /* the main coroutine is the first */
  int n;
  int inside;  /* so many have a handler */
  int returned;
  lua_State *raised;  /* in which the error was raised, or NULL */
  TStatus status;
  lua_Contained f;
  void *ud;
} Containment;


static void keep (Containment *c, lua_State *L) {
  Kept *k = &c->kept[c->n++];
  k->L = L;
  k->ci = L->ci;
  k->errorJmp = L->errorJmp;
  k->top = savestack(L, L->top.p);
  k->errfunc = L->errfunc;
  k->nCcalls = L->nCcalls;
  k->allowhook = L->allowhook;
}


/*
** Puts back what one was doing, after an error whose value is at the top of
** 'from', or without one, if the status is CLOSEKTOP. What it has been in
** since is closed.
*/
static void giveback (const Kept *k, TStatus status, lua_State *from) {
  lua_State *L = k->L;
  L->errorJmp = k->errorJmp;
  L->nCcalls = k->nCcalls;
  if (L->ci != k->ci || savestack(L, L->top.p) != k->top) {
    if (status != CLOSEKTOP) {
      setobjs2s(L, L->top.p, from->top.p - 1);
      L->top.p++;
    }
    L->ci = k->ci;
    L->allowhook = k->allowhook;
    luaD_closeprotected(L, k->top, status);
    L->top.p = restorestack(L, k->top);
    luaD_shrinkstack(L);
  }
  L->errfunc = k->errfunc;
}


/* calls 'f' inside of a handler for each that was kept */
static void contained (lua_State *L, void *ud) {
  Containment *c = (Containment *)ud;
  if (c->inside == c->n) {
    c->f(mainthread(G(L)), c->ud);
    c->returned = 1;
  }
  else {
    lua_State *next = c->kept[c->inside++].L;
    TStatus status;
    next->errfunc = 0;
    next->errorJmp = NULL;  /* 'luaD_throwbaselevel' gets no further */
    status = luaD_rawrunprotected(next, contained, c);
    if (l_unlikely(!c->returned && c->raised == NULL)) {
      c->status = status;
      c->raised = next;
    }
  }
}


LUA_API int lua_contain (lua_State *L, lua_State *const *waiting, int n,
                         lua_Contained f, void *ud) {
  lua_State *mainth = mainthread(G(L));
  Containment c;
  int i;
  c.n = c.inside = c.returned = 0;
  c.raised = NULL;
  c.status = LUA_OK;
  c.f = f;
  c.ud = ud;
  keep(&c, mainth);
  for (i = 0; i < n && c.n <= LUA_MOSTCONTAINED; i++) {
    if (waiting[i] != mainth)
      keep(&c, waiting[i]);
  }
  contained(mainth, &c);
  if (l_likely(c.raised == NULL)) {
    for (i = 0; i < c.n; i++) {
      c.kept[i].L->errorJmp = c.kept[i].errorJmp;
      c.kept[i].L->errfunc = c.kept[i].errfunc;
    }
    return LUA_OK;
  }
  if (c.raised != mainth && c.raised->ci == &c.raised->base_ci) {
    /* it was closed: nothing is left of what it did but its resume */
    for (i = 0; i < c.n; i++) {
      if (c.kept[i].L == c.raised)
        c.raised->errorJmp = c.kept[i].errorJmp;
      else
        giveback(&c.kept[i], CLOSEKTOP, mainth);
    }
    if (c.status == LUA_OK) {  /* who has resumed it is to notice */
      luaO_pushfstring(c.raised, "closed while another coroutine ran");
      c.status = LUA_ERRRUN;
    }
    luaD_throwbaselevel(c.raised, c.status);
  }
  if (c.status == LUA_OK) {
    /* a coroutine in no protected call has closed itself */
    setnilvalue(s2v(c.raised->top.p));
    c.raised->top.p++;
    c.status = LUA_ERRRUN;
  }
  else if (c.status == LUA_ERRMEM) {
    setsvalue2s(c.raised, c.raised->top.p, G(L)->memerrmsg);
    c.raised->top.p++;
  }
  if (c.raised != mainth) {  /* there it stays while others are closed */
    setobjs2s(mainth, mainth->top.p, c.raised->top.p - 1);
    mainth->top.p++;
  }
  for (i = 1; i < c.n; i++)
    giveback(&c.kept[i], c.status, mainth);
  {
    const Kept *k = &c.kept[0];
    mainth->errorJmp = k->errorJmp;
    mainth->nCcalls = k->nCcalls;
    mainth->ci = k->ci;
    mainth->allowhook = k->allowhook;
    c.status = luaD_closeprotected(mainth, k->top, c.status);
    luaD_seterrorobj(mainth, c.status, restorestack(mainth, k->top));
    luaD_shrinkstack(mainth);
    mainth->errfunc = k->errfunc;
  }
  return c.status;
}


LUA_API void lua_gethandler (lua_State *L, struct lua_Handler *h) {
  h->jump = L->errorJmp;
  h->function = L->errfunc;
}


LUA_API void lua_sethandler (lua_State *L, const struct lua_Handler *h) {
  char here;
  /* what is gone was called later than this function */
  if ((size_t)(void *)L->errorJmp < (size_t)&here) {
    L->errorJmp = (struct lua_longjmp *)h->jump;
    L->errfunc = h->function;
  }
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
