/*
** lvmsnapshot.c
** A state whose libraries other states begin with.
**
** One hidden state runs the function that opens the libraries. After that it
** never changes. A new state gets copies of all tables, C functions and
** userdata that can be reached there from the registry ('lgraph.h'). Strings
** are not copied at all: those of the hidden state are shared, and the short
** ones come to the permanent set ('lstrset.h').
*/

#define lvmsnapshot_c
#define LUA_CORE

#include "lprefix.h"

#include <stdlib.h>
#include <string.h>

/* states and their objects */
#include "lua.h"
#include "lstate.h"
#include "lstring.h"
#include "ltable.h"
#include "ltm.h"

/* how they come and go */
#include "lauxlib.h"
#include "lapi.h"
#include "ldo.h"
#include "lgc.h"
#include "lgraph.h"
#include "lshare.h"


/* objects that a new state has already; the first ones of the list */
#define REGISTRY	0
#define GLOBALS		1
#define MAINTHREAD	2
#define NPRESENT	3


typedef struct Snapshot {
  Graph graph;
  unsigned stringmt;  /* metatable of strings; 0 for none */
} Snapshot;

static const Snapshot *snapshot = NULL;  /* atomic: set once, when complete */
static const global_State *pool = NULL;  /* the same; owner of the strings */


const global_State *luaE_snapshotowner (void) {
  return __atomic_load_n(&pool, __ATOMIC_ACQUIRE);
}


/*
** {======================================================
** Making the snapshot
** =======================================================
*/

static void listpresent (Graph *gr, lua_State *L) {
  Table *registry = hvalue(&G(L)->l_registry);
  TValue globals;
  luaH_getint(registry, LUA_RIDX_GLOBALS, &globals);
  luaE_graphadd(gr, obj2gco(registry));  /* REGISTRY */
  luaE_graphadd(gr, gcvalue(&globals));  /* GLOBALS */
  luaE_graphadd(gr, obj2gco(mainthread(G(L))));  /* MAINTHREAD */
}


/* short strings are shared; others hear of them when nothing can fail */
static void sharestrings (lua_State *L, int publish) {
  stringtable *tb = &G(L)->strt;
  int i;
  for (i = 0; i < tb->size; i++) {
    TString *ts;
    for (ts = tb->hash[i]; ts != NULL; ts = ts->u.hnext) {
      if (!publish)
        makeshared(ts);
      else
        luaS_publish(luaS_permanentset(), ts);
    }
  }
}


LUA_API int lua_makesnapshot (lua_CFunction fill) {
  int kind;
  lua_State *L;
  Snapshot *tp = (Snapshot *)calloc(1, sizeof(Snapshot));
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
  sharestrings(L, 0);
  lua_gc(L, LUA_GCCOLLECT);  /* what 'fill' only needed meanwhile */
  tp->graph.ownstrings = 1;
  listpresent(&tp->graph, L);
  if (G(L)->mt[LUA_TSTRING] != NULL) {
    tp->stringmt = luaE_graphadd(&tp->graph, obj2gco(G(L)->mt[LUA_TSTRING]));
    G(L)->mt[LUA_TSTRING] = NULL;
  }
  luaE_graphwalk(&tp->graph, L);
  for (kind = 0; kind < LUA_NUMTYPES; kind++)
    tp->graph.failed |= (G(L)->mt[kind] != NULL);
  if (tp->graph.failed)
    goto failed;
  /* the state stays open from now on, and nothing runs there */
  lua_keepopen(L);
  sharestrings(L, 1);
  __atomic_store_n(&pool, G(L), __ATOMIC_RELEASE);
  __atomic_store_n(&snapshot, tp, __ATOMIC_RELEASE);
  return 1;
 failed:
  lua_close(L);
  luaE_graphfree(&tp->graph);
  free(tp);
  return 0;
}

/* }====================================================== */


/*
** {======================================================
** Copying
** =======================================================
*/

/*
** Until the links are set, the copies refer to objects of the snapshot. If
** memory runs out before, no collector may look at them: the state can only
** be closed then, which looks at nothing but sizes.
*/
LUA_API int lua_copysnapshot (lua_State *L) {
  const Snapshot *tp = __atomic_load_n(&snapshot, __ATOMIC_ACQUIRE);
  const Graph *gr;
  global_State *g = G(L);
  GCObject *copies[MAXOBJECTS];
  lu_byte stopped = g->gcstp;
  TValue globals;
  unsigned i;
  if (tp == NULL) return 0;
  gr = &tp->graph;
  luaS_meetshared(L);
  luaH_getint(hvalue(&g->l_registry), LUA_RIDX_GLOBALS, &globals);
  copies[REGISTRY] = gcvalue(&g->l_registry);
  copies[GLOBALS] = gcvalue(&globals);
  copies[MAINTHREAD] = obj2gco(mainthread(g));
  g->gcstp |= GCSTPGC;
  g->gcstopem = 1;
  luaE_graphcopy(L, gr, NPRESENT, copies);
  for (i = REGISTRY; i <= GLOBALS; i++)
    luaH_copyparts(L, gco2t(copies[i]), cast(const Table *, gr->objects[i]));
  luaE_graphlink(gr, copies, NULL);
  /* all copies are white; these two tables may be older */
  for (i = REGISTRY; i <= GLOBALS; i++) {
    if (isblack(copies[i])) luaC_barrierback_(L, copies[i]);
  }
  if (tp->stringmt != 0)
    g->mt[LUA_TSTRING] = gco2t(copies[tp->stringmt]);
  for (i = NPRESENT; i < gr->nobjects; i++) {
    if (copies[i]->tt == LUA_VUSERDATA && gco2u(copies[i])->metatable != NULL)
      luaC_checkfinalizer(L, copies[i], gco2u(copies[i])->metatable);
  }
  g->gcstopem = 0;
  g->gcstp = stopped;
  return 1;
}

/* }====================================================== */


/* to load a script takes more than what its main thread does from then on */
static void giveback (lua_State *L) {
  int used;
  luaD_reallocstack(L, cast_int(L->ci->top.p - L->stack.p), 0);
  do {
    used = L->nci;
    luaE_shrinkCI(L);
  } while (L->nci < used);
}


LUA_API void lua_gcsettle (lua_State *L) {
  global_State *g = G(L);
  if (L->ci == &L->base_ci) giveback(L);
  if (g->gckind == KGC_GENMINOR) {
    g->GCmajorminor = gettotalbytes(g);
    luaE_setdebt(g, applygcparam(g, MINORMUL, g->GCmajorminor));
    g->gcstp = 0;
  }
  else
    lua_gc(L, LUA_GCRESTART);
}
