/*
** lgraph.c
** Copies of objects of one state in another; see 'lgraph.h'.
*/

#define lgraph_c
#define LUA_CORE

#include "lprefix.h"

#include <stdlib.h>
#include <string.h>

#include "lua.h"

#include "lfunc.h"
#include "lgc.h"
#include "lgraph.h"
#include "lmem.h"
#include "lshare.h"
#include "lstate.h"
#include "lstring.h"
#include "ltable.h"


/* the parts of an object that references stand in */
#define IN_OBJECT	0
#define IN_NODES	1  /* hash part of a table */
#define IN_ARRAY	2  /* array part of a table */

/* added to the part: a whole value, one of the receiver's */
#define FROM_OUTSIDE	4


/*
** {======================================================
** Finding the references
** =======================================================
*/

static void *grow (Graph *gr, void *list, unsigned *size, size_t each) {
  unsigned wanted = (*size == 0) ? 64 : *size * 2;
  void *bigger = gr->failed ? NULL : realloc(list, wanted * each);
  if (bigger == NULL) {
    gr->failed = 1;
    return list;
  }
  *size = wanted;
  return bigger;
}


unsigned luaE_graphadd (Graph *gr, const GCObject *o) {
  unsigned i;
  for (i = 0; i < gr->nobjects; i++) {
    if (gr->objects[i] == o) return i;
  }
  if (gr->nobjects == gr->sizeobjects)
    gr->objects = (const GCObject **)grow(gr, gr->objects, &gr->sizeobjects,
                                          sizeof(GCObject *));
  if (gr->failed || i >= MAXOBJECTS) {
    gr->failed = 1;
    return 0;
  }
  gr->objects[gr->nobjects++] = o;
  return i;
}


Outside *luaE_graphoutside (Graph *gr, const TValue *value) {
  Outside *out;
  if (gr->noutside == gr->sizeoutside)
    gr->outside = (Outside *)grow(gr, gr->outside, &gr->sizeoutside,
                                  sizeof(Outside));
  if (gr->failed) return NULL;
  out = &gr->outside[gr->noutside++];
  memset(out, 0, sizeof(Outside));
  out->value = *value;
  out->number = -1;
  return out;
}


static Outside *findoutside (const Graph *gr, const TValue *value) {
  unsigned i;
  for (i = 0; i < gr->noutside; i++) {
    Outside *out = &gr->outside[i];
    if (rawtt(&out->value) == rawtt(value) &&
        (ttislcf(value) ? fvalue(&out->value) == fvalue(value)
                        : gcvalue(&out->value) == gcvalue(value)))
      return out;
  }
  return NULL;
}


static Link *newlink (Graph *gr, unsigned from, int part, const void *base,
                      const void *place) {
  Link *k;
  if (gr->nlinks == gr->sizelinks)
    gr->links = (Link *)grow(gr, gr->links, &gr->sizelinks, sizeof(Link));
  if (gr->failed) return NULL;
  k = &gr->links[gr->nlinks++];
  k->offset = cast_int(cast(const char *, place) - cast(const char *, base));
  k->from = cast(unsigned short, from);
  k->part = cast_byte(part);
  return k;
}


static void addlink (Graph *gr, unsigned from, int part, const void *base,
                     const void *place, const GCObject *to) {
  Link *k;
  if (isshared(to)) return;  /* the same in every state */
  k = newlink(gr, from, part, base, place);
  if (k != NULL)
    k->to = cast(unsigned short, luaE_graphadd(gr, to));
}


static void walkstring (Graph *gr, TString *ts) {
  if (gr->ownstrings && !strisshr(ts))
    luaS_share(NULL, ts);
  gr->failed |= !isshared(ts);
}


static void addvalue (Graph *gr, unsigned from, int part, const void *base,
                      const TValue *o) {
  if (ttisstring(o))
    walkstring(gr, tsvalue(o));
  else if (iscollectable(o) || ttislcf(o)) {
    Outside *out = findoutside(gr, o);
    if (out != NULL) {
      Link *k = newlink(gr, from, part | FROM_OUTSIDE, base, o);
      if (k == NULL) return;
      if (out->number < 0)
        out->number = cast_int(gr->nused++);
      k->to = cast(unsigned short, out->number);
    }
    else if (iscollectable(o))
      addlink(gr, from, part, base, &val_(o), gcvalue(o));
  }
}


static void walkarray (Graph *gr, unsigned i, const Table *t) {
  unsigned n;
  for (n = 0; n < t->asize; n++) {
    GCObject *o;
    if (!(*getArrTag(t, n) & BIT_ISCOLLECTABLE)) continue;
    o = getArrVal(t, n)->gc;
    if (novariant(o->tt) == LUA_TSTRING)
      walkstring(gr, gco2ts(o));
    else
      addlink(gr, i, IN_ARRAY, t->array, getArrVal(t, n), o);
  }
}


static void walktable (Graph *gr, unsigned i, const Table *t) {
  unsigned n;
  if (t->metatable != NULL)
    addlink(gr, i, IN_OBJECT, t, &t->metatable, obj2gco(t->metatable));
  walkarray(gr, i, t);
  if (isdummy(t)) return;
  for (n = 0; n < sizenode(t); n++) {
    const Node *nd = gnode(t, n);
    addvalue(gr, i, IN_NODES, t->node, gval(nd));
    if (!isempty(gval(nd)) && keyiscollectable(nd)) {
      if (novariant(keytt(nd)) == LUA_TSTRING)
        walkstring(gr, gco2ts(gckey(nd)));
      else
        gr->failed = 1;  /* its place depends on an address */
    }
  }
}


/* Lua functions: only those whose code is shared */
static void walkclosure (Graph *gr, unsigned i, const LClosure *cl) {
  int n;
  gr->failed |= (cl->p == NULL || !isshared(cl->p));
  for (n = 0; n < cl->nupvalues; n++) {
    if (cl->upvals[n] == NULL)
      gr->failed = 1;
    else
      addlink(gr, i, IN_OBJECT, cl, &cl->upvals[n], obj2gco(cl->upvals[n]));
  }
}


/* find what the object refers to; it gets into the list, too */
static void walk (Graph *gr, unsigned i, const lua_State *thread) {
  const GCObject *o = gr->objects[i];
  int n;
  switch (o->tt) {
    case LUA_VTABLE: {
      walktable(gr, i, cast(const Table *, o));
      break;
    }
    case LUA_VCCL: {
      const CClosure *cl = cast(const CClosure *, o);
      for (n = 0; n < cl->nupvalues; n++)
        addvalue(gr, i, IN_OBJECT, o, &cl->upvalue[n]);
      break;
    }
    case LUA_VLCL: {
      walkclosure(gr, i, cast(const LClosure *, o));
      break;
    }
    case LUA_VUPVAL: {
      const UpVal *uv = cast(const UpVal *, o);
      if (upisopen(uv))
        gr->failed = 1;
      else
        addvalue(gr, i, IN_OBJECT, o, &uv->u.value);
      break;
    }
    case LUA_VUSERDATA: {
      const Udata *u = cast(const Udata *, o);
      if (u->metatable != NULL)
        addlink(gr, i, IN_OBJECT, o, &u->metatable, obj2gco(u->metatable));
      for (n = 0; n < u->nuvalue; n++)
        addvalue(gr, i, IN_OBJECT, o, &u->uv[n].uv);
      break;
    }
    default: {
      gr->failed |= (o != obj2gco(thread));
      break;
    }
  }
}


void luaE_graphwalk (Graph *gr, const lua_State *thread) {
  unsigned i;
  for (i = 0; i < gr->nobjects && !gr->failed; i++)
    walk(gr, i, thread);
}


void luaE_graphfree (Graph *gr) {
  free(gr->objects);
  free(gr->links);
  free(gr->outside);
}

/* }====================================================== */


/*
** {======================================================
** Copying
** =======================================================
*/

static GCObject *newcopy (lua_State *L, const GCObject *from) {
  switch (from->tt) {
    case LUA_VTABLE: {
      Table *t = luaH_new(L);
      luaH_copyparts(L, t, cast(const Table *, from));
      return obj2gco(t);
    }
    case LUA_VCCL: {
      const CClosure *old = cast(const CClosure *, from);
      CClosure *cl = luaF_newCclosure(L, old->nupvalues);
      cl->f = old->f;
      memcpy(cl->upvalue, old->upvalue, old->nupvalues * sizeof(TValue));
      return obj2gco(cl);
    }
    case LUA_VLCL: {
      const LClosure *old = cast(const LClosure *, from);
      LClosure *cl = luaF_newLclosure(L, old->nupvalues);
      cl->p = old->p;
      return obj2gco(cl);
    }
    case LUA_VUPVAL: {
      const UpVal *old = cast(const UpVal *, from);
      GCObject *o = luaC_newobj(L, LUA_VUPVAL, sizeof(UpVal));
      UpVal *uv = gco2upv(o);
      uv->v.p = &uv->u.value;  /* closed */
      uv->u.value = old->u.value;
      return o;
    }
    default: {
      const Udata *old = cast(const Udata *, from);
      Udata *u = luaS_newudata(L, old->len, old->nuvalue);
      memcpy(u->uv, old->uv, old->nuvalue * sizeof(UValue));
      memcpy(getudatamem(u), cast(const char *, old) +
                             udatamemoffset(old->nuvalue), old->len);
      return obj2gco(u);
    }
  }
}


void luaE_graphcopy (lua_State *L, const Graph *gr, unsigned first,
                     GCObject **copies) {
  unsigned i;
  for (i = first; i < gr->nobjects; i++)
    copies[i] = newcopy(L, gr->objects[i]);
}


static char *partof (GCObject *o, int part) {
  switch (part) {
    case IN_NODES: return cast_charp(gco2t(o)->node);
    case IN_ARRAY: return cast_charp(gco2t(o)->array);
    default: return cast_charp(o);
  }
}


void luaE_graphlink (const Graph *gr, GCObject **copies,
                     const StackValue *values) {
  unsigned i;
  for (i = 0; i < gr->nlinks; i++) {
    const Link *k = &gr->links[i];
    if (k->part & FROM_OUTSIDE) {
      TValue *place = cast(TValue *,
            partof(copies[k->from], k->part & ~FROM_OUTSIDE) + k->offset);
      const TValue *value = s2v(&values[k->to]);
      place->value_ = value->value_;
      place->tt_ = value->tt_;  /* what else is in a node stays */
    }
    else {
      char *place = partof(copies[k->from], k->part) + k->offset;
      memcpy(place, &copies[k->to], sizeof(GCObject *));
    }
  }
}

/* }====================================================== */
