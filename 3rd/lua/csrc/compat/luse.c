/*
** luse.c
** Whether a state still refers to what other states share; see 'luse.h'.
**
** No collector marks a shared object, so which of them a state needs is not
** known from a collection. But after one, all objects in the lists of the
** state are alive; what they refer to directly is all that it refers to.
*/

#define luse_c
#define LUA_CORE

#include "lprefix.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lua.h"

#include "lgc.h"
#include "lobject.h"
#include "lshare.h"
#include "lstate.h"
#include "ltable.h"
#include "luse.h"


/* shared objects that were met */
typedef struct Set {
  const GCObject **slots;
  size_t size;  /* a power of two, or 0 */
  size_t count;
  int failed;  /* no memory */
} Set;


static const GCObject **findslot (const Set *set, const GCObject *o) {
  uint64_t hash = ((uint64_t)(uintptr_t)o >> 3) * UINT64_C(0x9e3779b97f4a7c15);
  size_t i = (size_t)(hash >> 20) & (set->size - 1);
  while (set->slots[i] != NULL && set->slots[i] != o)
    i = (i + 1) & (set->size - 1);
  return &set->slots[i];
}


static void growset (Set *set) {
  Set bigger = {NULL, set->size == 0 ? 1024 : set->size * 2, set->count, 0};
  size_t i;
  bigger.slots = (const GCObject **)calloc(bigger.size, sizeof(GCObject *));
  if (bigger.slots == NULL) {
    set->failed = 1;
    return;
  }
  for (i = 0; i < set->size; i++) {
    if (set->slots[i] != NULL)
      *findslot(&bigger, set->slots[i]) = set->slots[i];
  }
  free(set->slots);
  *set = bigger;
}


static void meet (Set *set, const GCObject *o) {
  const GCObject **slot;
  if (o == NULL || !isshared(o) || set->failed) return;
  if (set->count >= set->size / 2) {
    growset(set);
    if (set->failed) return;
  }
  slot = findslot(set, o);
  if (*slot == NULL) {
    *slot = o;
    set->count++;
  }
}

#define meetobject(set,o)  { if (o) meet(set, obj2gco(o)); }

#define meetvalue(set,v)  \
  { const TValue *v_ = (v); if (iscollectable(v_)) meet(set, gcvalue(v_)); }


static void lookattable (Set *set, Table *h) {
  unsigned i;
  meetobject(set, h->metatable);
  for (i = 0; i < h->asize; i++) {
    if (*getArrTag(h, i) & BIT_ISCOLLECTABLE)
      meet(set, getArrVal(h, i)->gc);
  }
  for (i = 0; i < sizenode(h); i++) {
    Node *n = gnode(h, i);
    /* the key of an empty entry counts too: it is compared with others */
    if (keyiscollectable(n))
      meet(set, gckey(n));
    meetvalue(set, gval(n));
  }
}


static void lookatproto (Set *set, const Proto *p) {
  int i;
  meetobject(set, p->source);
  for (i = 0; i < p->sizek; i++)
    meetvalue(set, &p->k[i]);
  for (i = 0; i < p->sizeupvalues; i++)
    meetobject(set, p->upvalues[i].name);
  for (i = 0; i < p->sizep; i++)
    meetobject(set, p->p[i]);
  for (i = 0; i < p->sizelocvars; i++)
    meetobject(set, p->locvars[i].varname);
}


static void lookatthread (Set *set, const lua_State *th) {
  StkId o = th->stack.p;
  if (o == NULL) return;  /* stack not completely built yet */
  for (; o < th->top.p; o++)
    meetvalue(set, s2v(o));
}


/* what an object refers to directly */
static void lookat (Set *set, GCObject *o) {
  int i;
  switch (o->tt) {
    case LUA_VTABLE: lookattable(set, gco2t(o)); break;
    case LUA_VPROTO: lookatproto(set, gco2p(o)); break;
    case LUA_VTHREAD: lookatthread(set, gco2th(o)); break;
    case LUA_VLCL: {
      LClosure *cl = gco2lcl(o);
      meetobject(set, cl->p);
      break;  /* its upvalues are objects of this state */
    }
    case LUA_VCCL: {
      CClosure *cl = gco2ccl(o);
      for (i = 0; i < cl->nupvalues; i++)
        meetvalue(set, &cl->upvalue[i]);
      break;
    }
    case LUA_VUPVAL: meetvalue(set, gco2upv(o)->v.p); break;
    case LUA_VUSERDATA: {
      Udata *u = gco2u(o);
      meetobject(set, u->metatable);
      for (i = 0; i < u->nuvalue; i++)
        meetvalue(set, &u->uv[i].uv);
      break;
    }
    default: break;  /* strings */
  }
}


static void lookatlist (Set *set, GCObject *o) {
  for (; o != NULL; o = o->next) {
    if (!isshared(o))  /* those are this state's own to share */
      lookat(set, o);
  }
}


static void lookatall (Set *set, lua_State *L) {
  global_State *g = G(L);
  int i, j;
  lookatlist(set, g->allgc);
  lookatlist(set, g->finobj);
  lookatlist(set, g->tobefnz);
  lookatlist(set, g->fixedgc);
  lookatthread(set, mainthread(g));
  meetvalue(set, &g->l_registry);
  for (i = 0; i < LUA_NUMTYPES; i++)
    meetobject(set, g->mt[i]);
  for (i = 0; i < STRCACHE_N; i++) {
    for (j = 0; j < STRCACHE_M; j++)
      meetobject(set, g->strcache[i][j]);
  }
}


/* is a shared object of a list in the set? */
static int hasoneof (const Set *set, const GCObject *o) {
  for (; o != NULL; o = o->next) {
    if (isshared(o) && *findslot(set, o) != NULL)
      return 1;
  }
  return 0;
}


/* is one of a state? */
static int hasobjectof (const void *ud, const lua_State *L) {
  const Set *set = (const Set *)ud;
  const global_State *g = G(L);
  return hasoneof(set, g->allgc) || hasoneof(set, g->finobj) ||
         hasoneof(set, g->fixedgc);
}


LUA_API void lua_shareduse (lua_State *L, lua_State *const *owners, int n,
                            unsigned char *used) {
  global_State *g = G(L);
  Set set = {NULL, 0, 0, 0};
  int i;
  int doubtful = (g->gcstp & (GCSTPGC | GCSTPCLS)) != 0;
  if (!doubtful) {
    luaC_fullgc(L, 0);
    /* what has died and is still in a list may refer to what is freed */
    doubtful = issweepphase(g);
  }
  if (!doubtful) {
    growset(&set);
    lookatall(&set, L);
    doubtful = set.failed;
  }
  for (i = 0; i < n; i++)
    used[i] = (unsigned char)(doubtful || hasobjectof(&set, owners[i]) ||
              luaE_hascodeof(g, G(owners[i]), hasobjectof, &set));
  free(set.slots);
}
