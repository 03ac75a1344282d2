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
#include "lopcodes.h"
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


/* }====================================================== */


/*
** {======================================================
** Upvalues that are the same
** =======================================================
*/

/* does the function, or one that it makes, assign to this upvalue? */
static int assigns (const Proto *p, int upvalue) {
  int i, k;
  for (i = 0; i < p->sizecode; i++) {
    if (GET_OPCODE(p->code[i]) == OP_SETUPVAL &&
        GETARG_B(p->code[i]) == upvalue)
      return 1;
  }
  for (i = 0; i < p->sizep; i++) {
    const Proto *inner = p->p[i];
    for (k = 0; k < inner->sizeupvalues; k++) {
      if (!inner->upvalues[k].instack && inner->upvalues[k].idx == upvalue &&
          assigns(inner, k))
        return 1;
    }
  }
  return 0;
}


/* does any function of the graph assign to the upvalue? */
static int isvariable (const Graph *gr, const UpVal *uv) {
  unsigned i;
  int n;
  for (i = 0; i < gr->nobjects; i++) {
    const LClosure *cl = cast(const LClosure *, gr->objects[i]);
    if (gr->objects[i]->tt != LUA_VLCL) continue;
    for (n = 0; n < cl->nupvalues; n++) {
      if (cl->upvals[n] == uv && assigns(cl->p, n))
        return 1;
    }
  }
  return 0;
}


static int samevalue (const TValue *a, const TValue *b) {
  if (rawtt(a) != rawtt(b)) return 0;
  if (iscollectable(a)) return gcvalue(a) == gcvalue(b);
  return ttislcf(a) && fvalue(a) == fvalue(b);
}


/*
** The first constant upvalue with the value of 'gr->objects[i]', which is a
** constant one, too; 'i' itself if there is none before.
*/
static unsigned firstlike (const Graph *gr, unsigned i, const char *constant) {
  const UpVal *uv = cast(const UpVal *, gr->objects[i]);
  unsigned k;
  for (k = 0; k < i; k++) {
    if (constant[k] &&
        samevalue(&cast(const UpVal *, gr->objects[k])->u.value, &uv->u.value))
      return k;
  }
  return i;
}


/* leaves out the objects that have another one in their place in 'to' */
static void replace (Graph *gr, const unsigned *to) {
  unsigned number[MAXOBJECTS];
  unsigned i, kept = 0, links = 0;
  for (i = 0; i < gr->nobjects; i++) {
    number[i] = kept;
    if (to[i] == i)
      gr->objects[kept++] = gr->objects[i];
  }
  gr->nobjects = kept;
  for (i = 0; i < gr->nlinks; i++) {
    Link k = gr->links[i];
    if (to[k.from] != k.from) continue;
    k.from = cast(unsigned short, number[k.from]);
    if (!(k.part & FROM_OUTSIDE))
      k.to = cast(unsigned short, number[to[k.to]]);
    gr->links[links++] = k;
  }
  gr->nlinks = links;
}


void luaE_graphmerge (Graph *gr) {
  char constant[MAXOBJECTS];
  unsigned to[MAXOBJECTS];
  unsigned i;
  if (gr->failed) return;
  for (i = 0; i < gr->nobjects; i++) {
    const GCObject *o = gr->objects[i];
    constant[i] = (o->tt == LUA_VUPVAL &&
                   !isvariable(gr, cast(const UpVal *, o)));
    to[i] = constant[i] ? firstlike(gr, i, constant) : i;
  }
  replace(gr, to);
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
