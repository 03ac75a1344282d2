/*
** ltemplate.c
** A state whose libraries other states begin with.
**
** One hidden state runs the function that opens the libraries. After that it
** never changes. A new state gets copies of all tables, C functions and
** userdata that can be reached there from the registry: blocks are copied as
** they are, then the references between them are set. Strings are not copied
** at all: those of the hidden state are shared, and every state that needs
** a short string with the text of one of them uses that one ('pooled').
**
** A reference is known by the place that it stands in. The places are found
** once, by a walk over the hidden state; see 'Link'.
*/

#define ltemplate_c
#define LUA_CORE

#include "lprefix.h"

#include <stdlib.h>
#include <string.h>

/* states and their objects */
#include "lua.h"
#include "lstate.h"
#include "ltable.h"
#include "lstring.h"
#include "lfunc.h"
#include "ltm.h"

/* how they come and go */
#include "lauxlib.h"
#include "lapi.h"
#include "lmem.h"
#include "lgc.h"
#include "lshare.h"


/* the parts of an object that references stand in */
#define IN_OBJECT	0
#define IN_NODES	1  /* hash part of a table */
#define IN_ARRAY	2  /* array part of a table */

/* objects that a new state has already; the first ones of the list */
#define REGISTRY	0
#define GLOBALS		1
#define MAINTHREAD	2
#define NPRESENT	3

/* objects at most: a copy keeps their addresses on the C stack */
#define MAXOBJECTS	256


/* the pointer at 'offset' bytes in a part of object 'from' leads to 'to' */
typedef struct Link {
  int offset;  /* array values stand before the address of the array */
  unsigned short from;
  unsigned short to;
  lu_byte part;
} Link;


typedef struct Template {
  const GCObject **objects;
  Link *links;
  unsigned nobjects, sizeobjects;
  unsigned nlinks, sizelinks;
  unsigned stringmt;  /* metatable of strings; 0 for none */
  int failed;
} Template;


static const Template *template = NULL;  /* atomic: set once, when complete */
static const global_State *pool = NULL;  /* the same; owner of the strings */


const global_State *luaE_template (void) {
  return __atomic_load_n(&pool, __ATOMIC_ACQUIRE);
}


TString *luaS_pooled (const char *str, size_t l, unsigned h) {
  const global_State *g = luaE_template();
  const stringtable *tb;
  TString *ts;
  if (g == NULL) return NULL;
  tb = &g->strt;
  for (ts = tb->hash[lmod(h, tb->size)]; ts != NULL; ts = ts->u.hnext) {
    if (ts->hash == h && l == cast_uint(ts->shrlen) &&
        luaS_samebytes(str, getshrstr(ts), l))
      return ts;
  }
  return NULL;
}


/*
** {======================================================
** Making the template
** =======================================================
*/

static void *grow (Template *tp, void *list, unsigned *size, size_t each) {
  unsigned wanted = (*size == 0) ? 64 : *size * 2;
  void *bigger = tp->failed ? NULL : realloc(list, wanted * each);
  if (bigger == NULL) {
    tp->failed = 1;
    return list;
  }
  *size = wanted;
  return bigger;
}


/* place of an object in the list; it is added if need be */
static unsigned numberof (Template *tp, const GCObject *o) {
  unsigned i;
  for (i = 0; i < tp->nobjects; i++) {
    if (tp->objects[i] == o) return i;
  }
  if (tp->nobjects == tp->sizeobjects)
    tp->objects = (const GCObject **)grow(tp, tp->objects, &tp->sizeobjects,
                                          sizeof(GCObject *));
  if (tp->failed || i >= MAXOBJECTS) {
    tp->failed = 1;
    return 0;
  }
  tp->objects[tp->nobjects++] = o;
  return i;
}


static void addlink (Template *tp, unsigned from, int part, const void *base,
                     const void *place, const GCObject *to) {
  Link *k;
  if (isshared(to)) return;  /* the same in every state */
  if (tp->nlinks == tp->sizelinks)
    tp->links = (Link *)grow(tp, tp->links, &tp->sizelinks, sizeof(Link));
  if (tp->failed) return;
  k = &tp->links[tp->nlinks++];
  k->offset = cast_int(cast(const char *, place) - cast(const char *, base));
  k->from = cast(unsigned short, from);
  k->part = cast_byte(part);
  k->to = cast(unsigned short, numberof(tp, to));
}


static void addvalue (Template *tp, unsigned from, int part, const void *base,
                      const TValue *o) {
  if (!iscollectable(o)) return;
  if (ttisstring(o))
    luaS_share(tsvalue(o));
  addlink(tp, from, part, base, &val_(o), gcvalue(o));
}


static void walktable (Template *tp, unsigned i, const Table *t) {
  unsigned n;
  if (t->metatable != NULL)
    addlink(tp, i, IN_OBJECT, t, &t->metatable, obj2gco(t->metatable));
  for (n = 0; n < t->asize; n++) {
    if (*getArrTag(t, n) & BIT_ISCOLLECTABLE) {
      GCObject *o = getArrVal(t, n)->gc;
      if (novariant(o->tt) == LUA_TSTRING)
        luaS_share(gco2ts(o));
      addlink(tp, i, IN_ARRAY, t->array, getArrVal(t, n), o);
    }
  }
  if (isdummy(t)) return;
  for (n = 0; n < sizenode(t); n++) {
    const Node *nd = gnode(t, n);
    addvalue(tp, i, IN_NODES, t->node, gval(nd));
    if (!isempty(gval(nd)) && keyiscollectable(nd)) {
      if (novariant(keytt(nd)) == LUA_TSTRING)
        luaS_share(gco2ts(gckey(nd)));
      else
        tp->failed = 1;  /* its place depends on an address */
    }
  }
}


/* find what the object refers to; it gets into the list, too */
static void walk (Template *tp, unsigned i) {
  const GCObject *o = tp->objects[i];
  int n;
  switch (o->tt) {
    case LUA_VTABLE: {
      walktable(tp, i, cast(const Table *, o));
      break;
    }
    case LUA_VCCL: {
      const CClosure *cl = cast(const CClosure *, o);
      for (n = 0; n < cl->nupvalues; n++)
        addvalue(tp, i, IN_OBJECT, o, &cl->upvalue[n]);
      break;
    }
    case LUA_VUSERDATA: {
      const Udata *u = cast(const Udata *, o);
      if (u->metatable != NULL)
        addlink(tp, i, IN_OBJECT, o, &u->metatable, obj2gco(u->metatable));
      for (n = 0; n < u->nuvalue; n++)
        addvalue(tp, i, IN_OBJECT, o, &u->uv[n].uv);
      break;
    }
    case LUA_VTHREAD: {
      tp->failed |= (i != MAINTHREAD);
      break;
    }
    default: {  /* Lua functions are for the code cache */
      tp->failed = 1;
      break;
    }
  }
}


static void listpresent (Template *tp, lua_State *L) {
  Table *registry = hvalue(&G(L)->l_registry);
  TValue globals;
  luaH_getint(registry, LUA_RIDX_GLOBALS, &globals);
  numberof(tp, obj2gco(registry));  /* REGISTRY */
  numberof(tp, gcvalue(&globals));  /* GLOBALS */
  numberof(tp, obj2gco(mainthread(G(L))));  /* MAINTHREAD */
}


static void sharestrings (lua_State *L) {
  stringtable *tb = &G(L)->strt;
  int i;
  for (i = 0; i < tb->size; i++) {
    TString *ts;
    for (ts = tb->hash[i]; ts != NULL; ts = ts->u.hnext)
      luaS_share(ts);
  }
}


LUA_API int lua_maketemplate (lua_CFunction fill) {
  unsigned i;
  int kind;
  lua_State *L;
  Template *tp = (Template *)calloc(1, sizeof(Template));
  if (tp == NULL) return 0;
  L = luaL_newstate();
  if (L == NULL) {
    free(tp);
    return 0;
  }
  lua_gc(L, LUA_GCSTOP);
  lua_pushcfunction(L, fill);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK)
    goto failed;
  /* the lexer writes to a string of its own when it begins: not later */
  if (luaL_loadstring(L, "") != LUA_OK)
    goto failed;
  lua_settop(L, 0);
  sharestrings(L);
  lua_gc(L, LUA_GCCOLLECT);  /* what 'fill' only needed meanwhile */
  listpresent(tp, L);
  if (G(L)->mt[LUA_TSTRING] != NULL) {
    tp->stringmt = numberof(tp, obj2gco(G(L)->mt[LUA_TSTRING]));
    G(L)->mt[LUA_TSTRING] = NULL;
  }
  for (i = 0; i < tp->nobjects && !tp->failed; i++)
    walk(tp, i);
  for (kind = 0; kind < LUA_NUMTYPES; kind++)
    tp->failed |= (G(L)->mt[kind] != NULL);
  if (tp->failed)
    goto failed;
  /* the state stays open from now on, and nothing runs there */
  __atomic_store_n(&pool, G(L), __ATOMIC_RELEASE);
  __atomic_store_n(&template, tp, __ATOMIC_RELEASE);
  return 1;
 failed:
  lua_close(L);
  free(tp->objects);
  free(tp->links);
  free(tp);
  return 0;
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


static char *partof (GCObject *o, int part) {
  switch (part) {
    case IN_NODES: return cast_charp(gco2t(o)->node);
    case IN_ARRAY: return cast_charp(gco2t(o)->array);
    default: return cast_charp(o);
  }
}


/*
** Until the links are set, the copies refer to objects of the template. If
** memory runs out before, no collector may look at them: the state can only
** be closed then, which looks at nothing but sizes.
*/
LUA_API int lua_copytemplate (lua_State *L) {
  const Template *tp = __atomic_load_n(&template, __ATOMIC_ACQUIRE);
  global_State *g = G(L);
  GCObject *copies[MAXOBJECTS];
  lu_byte stopped = g->gcstp;
  TValue globals;
  unsigned i;
  if (tp == NULL) return 0;
  luaH_getint(hvalue(&g->l_registry), LUA_RIDX_GLOBALS, &globals);
  copies[REGISTRY] = gcvalue(&g->l_registry);
  copies[GLOBALS] = gcvalue(&globals);
  copies[MAINTHREAD] = obj2gco(mainthread(g));
  g->gcstp |= GCSTPGC;
  g->gcstopem = 1;
  for (i = NPRESENT; i < tp->nobjects; i++)
    copies[i] = newcopy(L, tp->objects[i]);
  for (i = REGISTRY; i <= GLOBALS; i++)
    luaH_copyparts(L, gco2t(copies[i]), cast(const Table *, tp->objects[i]));
  for (i = 0; i < tp->nlinks; i++) {
    const Link *k = &tp->links[i];
    char *place = partof(copies[k->from], k->part) + k->offset;
    memcpy(place, &copies[k->to], sizeof(GCObject *));
  }
  /* all copies are white; these two tables may be older */
  for (i = REGISTRY; i <= GLOBALS; i++) {
    if (isblack(copies[i])) luaC_barrierback_(L, copies[i]);
  }
  if (tp->stringmt != 0)
    g->mt[LUA_TSTRING] = gco2t(copies[tp->stringmt]);
  for (i = NPRESENT; i < tp->nobjects; i++) {
    if (copies[i]->tt == LUA_VUSERDATA && gco2u(copies[i])->metatable != NULL)
      luaC_checkfinalizer(L, copies[i], gco2u(copies[i])->metatable);
  }
  g->gcstopem = 0;
  g->gcstp = stopped;
  return 1;
}

/* }====================================================== */


LUA_API void lua_gcsettle (lua_State *L) {
  global_State *g = G(L);
  if (g->gckind == KGC_GENMINOR) {
    g->GCmajorminor = gettotalbytes(g);
    luaE_setdebt(g, applygcparam(g, MINORMUL, g->GCmajorminor));
    g->gcstp = 0;
  }
  else
    lua_gc(L, LUA_GCRESTART);
}
