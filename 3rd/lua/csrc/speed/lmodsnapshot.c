/*
** lmodsnapshot.c
** Modules that a state takes as they are after their first run; see
** 'lmodsnapshot.h'.
*/

#define lmodsnapshot_c
#define LUA_CORE

#include "lprefix.h"

#include <string.h>
#include <stdlib.h>

#include "lua.h"

#include "lapi.h"
#include "lauxlib.h"
#include "lualib.h"
#include "ldo.h"
#include "lgc.h"
#include "lgraph.h"
#include "lmodfiles.h"
#include "lmodsnapshot.h"
#include "lobject.h"
#include "lshare.h"
#include "lstate.h"
#include "lstring.h"
#include "ltable.h"


/* states of a slot */
#define EMPTY	0
#define BUSY	1
#define DONE	2

/* object of a snapshot's graph */
#define OUTER	0


struct ModuleSnapshot {
  Graph graph;
  lua_State *L;  /* hidden; owner of the objects */
  const Proto *outer;  /* the code that it stands for */
  Outside **used;  /* values outside that something refers to, by number */
  unsigned inner[MAXINNER];  /* objects; OUTER for a module without a value */
  ModuleFiles files;  /* of the inner modules */
};


/* set once, before there is a second thread */
static struct {
  const char *outer;
  ModuleNames inner;  /* in the order in which they run */
  lua_CFunction open;
  int (*genuine) (const char *module, const char *filename);
} host;


LUA_API void lua_setmodulesnapshot (const char *outer,
                           const char *const *inner, lua_CFunction open,
                           int (*genuine) (const char *, const char *)) {
  if (!luaE_modulenames(&host.inner, inner)) return;  /* they run as ever */
  host.open = open;
  host.genuine = genuine;
  host.outer = outer;
}


int luaE_hassnapshot (const char *name) {
  return host.outer != NULL && strcmp(name, host.outer) == 0;
}


/*
** {======================================================
** Making a snapshot
** =======================================================
*/

typedef struct Making {
  ModuleSnapshot *snapshot;
  const char *filename;  /* of the outer module, or NULL */
  const void *outer;  /* functions, if there is no file */
  const void *const *inner;
} Making;


/* every function and table of a table with names; 'module' may be NULL */
static void listfields (Graph *gr, const Table *t, TString *table,
                        int ismodule) {
  unsigned n;
  if (isdummy(t)) return;
  for (n = 0; n < sizenode(t); n++) {
    const Node *nd = gnode(t, n);
    Outside *out;
    if (!keyisshrstr(nd) || !(ttisfunction(gval(nd)) || ttistable(gval(nd))))
      continue;
    out = luaE_graphoutside(gr, gval(nd));
    if (out == NULL) return;
    out->ismodule = ismodule;
    if (ismodule && table == NULL)
      out->table = keystrval(nd);  /* the module itself */
    else {
      out->table = table;
      out->field = keystrval(nd);
    }
  }
}


/* the fields of all tables in a table */
static void listinner (Graph *gr, const Table *t, int ismodule) {
  unsigned n;
  if (isdummy(t)) return;
  for (n = 0; n < sizenode(t); n++) {
    const Node *nd = gnode(t, n);
    if (keyisshrstr(nd) && ttistable(gval(nd)) && hvalue(gval(nd)) != t)
      listfields(gr, hvalue(gval(nd)), keystrval(nd), ismodule);
  }
}


/* what comes first wins: a name that the modules are most likely to use */
static void listoutside (Graph *gr, lua_State *L) {
  const Table *globals, *loaded;
  lua_pushglobaltable(L);
  globals = hvalue(s2v(L->top.p - 1));
  luaE_graphoutside(gr, s2v(L->top.p - 1));
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  loaded = hvalue(s2v(L->top.p - 1));
  listfields(gr, globals, NULL, 0);
  listinner(gr, globals, 0);
  listfields(gr, loaded, NULL, 1);
  listinner(gr, loaded, 1);
  lua_pop(L, 2);
}


static void pushmodule (lua_State *L, const char *filename, const void *fn) {
  if (filename == NULL)
    lua_clonefunction(L, fn);
  else if (luaL_loadfilex(L, filename, NULL) != LUA_OK)
    lua_error(L);
}


/* puts a module's value, at the top, into the graph and 'package.loaded' */
static unsigned addmodule (lua_State *L, Graph *gr, const char *name) {
  unsigned number;
  if (gr->nobjects > OUTER && lua_isboolean(L, -1)) {
    lua_pop(L, 1);
    return OUTER;
  }
  luaL_checktype(L, -1, LUA_TTABLE);
  number = luaE_graphadd(gr,
                    cast(GCObject *, cast_voidp(lua_topointer(L, -1))));
  lua_setfield(L, 2, name);  /* anchors the value */
  return number;
}


/* leaves the values in the graph; the outer one has to be its first object */
static int run (lua_State *L) {
  Making *m = (Making *)lua_touserdata(L, 1);
  ModuleSnapshot *snap = m->snapshot;
  int infile = (m->filename != NULL);
  int i;
  lua_pushcfunction(L, host.open);
  lua_call(L, 0, 0);
  listoutside(&snap->graph, L);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);  /* 2 */
  for (i = 0; i < host.inner.n; i++) {
    pushmodule(L, infile ? snap->files.name[i] : NULL,
                  infile ? NULL : m->inner[i]);
    lua_call(L, 0, 1);
    if (lua_isnil(L, -1)) {  /* as 'require' does */
      lua_pop(L, 1);
      lua_pushboolean(L, 1);
    }
    lua_setfield(L, 2, host.inner.name[i]);
  }
  pushmodule(L, m->filename, m->outer);
  if (clLvalue(s2v(L->top.p - 1))->p != snap->outer)
    luaL_error(L, "other code");
  lua_call(L, 0, 1);
  addmodule(L, &snap->graph, host.outer);
  for (i = 0; i < host.inner.n; i++) {
    lua_getfield(L, 2, host.inner.name[i]);
    snap->inner[i] = addmodule(L, &snap->graph, host.inner.name[i]);
  }
  return 0;
}


/* do the modules stand beside each other, as the program knows them? */
static int genuinefiles (const char *filename, ModuleFiles *files) {
  int i;
  if (!luaE_modulesbeside(&host.inner, host.outer, filename, files)) return 0;
  for (i = 0; i < host.inner.n; i++) {
    if (!host.genuine(host.inner.name[i], files->name[i])) return 0;
  }
  return host.genuine(host.outer, filename);
}


/* the values outside by their numbers */
static int indexoutside (ModuleSnapshot *snap) {
  unsigned i;
  const Graph *gr = &snap->graph;
  snap->used = (Outside **)calloc(gr->nused + 1, sizeof(Outside *));
  if (snap->used == NULL) return 0;
  for (i = 0; i < gr->noutside; i++) {
    if (gr->outside[i].number >= 0)
      snap->used[gr->outside[i].number] = &gr->outside[i];
  }
  return 1;
}


static void freesnapshot (ModuleSnapshot *snap) {
  if (snap->L != NULL) lua_close(snap->L);
  luaE_graphfree(&snap->graph);
  free(snap->used);
  free(snap);
}


static ModuleSnapshot *makesnapshot (Making *m, const Proto *outer) {
  ModuleSnapshot *snap = (ModuleSnapshot *)calloc(1, sizeof(ModuleSnapshot));
  global_State *g;
  if (snap == NULL) return NULL;
  m->snapshot = snap;
  snap->outer = outer;
  if (m->filename != NULL && !genuinefiles(m->filename, &snap->files))
    goto failed;
  if ((snap->L = luaL_newstate()) == NULL)
    goto failed;
  lua_gc(snap->L, LUA_GCSTOP);
  lua_pushcfunction(snap->L, run);
  lua_pushlightuserdata(snap->L, m);
  if (lua_pcall(snap->L, 1, 0, 0) != LUA_OK)
    goto failed;
  g = G(snap->L);
  /* all from the same generation, which shall not live because of this */
  if (m->filename != NULL && !luaE_usesonecode(g))
    goto failed;
  luaE_releasecode(g);
  luaE_graphwalk(&snap->graph, NULL);
  luaE_graphmerge(&snap->graph);
  if (snap->graph.failed || !indexoutside(snap))
    goto failed;
  return snap;
 failed:
  freesnapshot(snap);
  return NULL;
}


const lua_State *luaE_snapshotstate (const SnapshotSlot *slot) {
  if (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) != DONE ||
      slot->snapshot == NULL)
    return NULL;
  return slot->snapshot->L;
}


void luaE_closesnapshot (SnapshotSlot *slot) {
  if (slot->snapshot != NULL)
    freesnapshot(slot->snapshot);
  slot->snapshot = NULL;
}

/* }====================================================== */


/*
** {======================================================
** Taking a snapshot
** =======================================================
*/

static Table *registrytable (lua_State *L, const char *key) {
  Table *t;
  if (lua_getfield(L, LUA_REGISTRYINDEX, key) != LUA_TTABLE) return NULL;
  t = hvalue(s2v(L->top.p - 1));
  lua_pop(L, 1);
  return t;
}


/* what table 't' has under a name; 0 for nothing, also if it is no table */
static int getraw (const TValue *t, TString *key, TValue *res) {
  return ttistable(t) && !tagisempty(luaH_getstr(hvalue(t), key, res));
}


static int getfield (lua_State *L, Table *t, const char *key, TValue *res) {
  lu_byte tag;
  lua_pushstring(L, key);
  tag = luaH_getstr(t, tsvalue(s2v(L->top.p - 1)), res);
  lua_pop(L, 1);
  return !tagisempty(tag);
}


/* may the copies be taken for what the modules would do here? */
static int isusual (lua_State *L, const ModuleSnapshot *snap) {
  Table *loaded = registrytable(L, LUA_LOADED_TABLE);
  Table *preload = registrytable(L, LUA_PRELOAD_TABLE);
  TValue v;
  int i;
  if (loaded == NULL || preload == NULL || L->hookmask) return 0;
  for (i = 0; i < host.inner.n; i++) {
    if (getfield(L, loaded, host.inner.name[i], &v)) return 0;
    if (!isdummy(preload) && getfield(L, preload, host.inner.name[i], &v))
      return 0;
  }
  return getfield(L, loaded, LUA_LOADLIBNAME, &v) && ttistable(&v) &&
         getfield(L, hvalue(&v), "path", &v) && ttisstring(&v) &&
         luaE_modulesfound(&host.inner, getstr(tsvalue(&v)), &snap->files);
}


/* value outside as it is in this state; modules that it needs get loaded */
static int pushoutside (lua_State *L, const Outside *out, int loaded) {
  TValue v;
  if (out->ismodule) {
    if (!getraw(s2v(L->ci->func.p + loaded), out->table, &v)) {
      lua_getglobal(L, "require");
      lua_pushstring(L, getstr(out->table));
      lua_call(L, 1, 0);
      if (!getraw(s2v(L->ci->func.p + loaded), out->table, &v)) return 0;
    }
    if (out->field != NULL && !getraw(&v, out->field, &v)) return 0;
  }
  else {
    lua_pushglobaltable(L);
    v = *s2v(L->top.p - 1);
    lua_pop(L, 1);
    if (out->table != NULL && !getraw(&v, out->table, &v)) return 0;
    if (out->field != NULL && !getraw(&v, out->field, &v)) return 0;
  }
  setobj2s(L, L->top.p, &v);
  api_incr_top(L);
  return 1;
}


typedef struct Copying {
  const Graph *graph;
  GCObject *copies[MAXOBJECTS];
} Copying;


static void copyall (lua_State *L, void *ud) {
  Copying *c = (Copying *)ud;
  luaE_graphcopy(L, c->graph, 0, c->copies);
}


/* 0 when there is no memory; what has been copied then is garbage */
static int copygraph (lua_State *L, Copying *c) {
  global_State *g = G(L);
  lu_byte stopped = g->gcstp;
  lu_byte stoppedem = g->gcstopem;
  TStatus status;
  g->gcstp |= GCSTPGC;
  g->gcstopem = 1;
  status = luaD_rawrunprotected(L, copyall, c);
  g->gcstopem = stoppedem;
  g->gcstp = stopped;
  return status == LUA_OK;
}


static void pushtable (lua_State *L, GCObject *o) {
  sethvalue2s(L, L->top.p, gco2t(o));
  api_incr_top(L);
}


/* stack: the arguments of a loader. Leaves the module at the top */
static int take (lua_State *L, const ModuleSnapshot *snap) {
  const Graph *gr = &snap->graph;
  Copying c;
  unsigned i;
  int loaded, first;
  if (!isusual(L, snap)) return 0;
  luaL_checkstack(L, cast_int(gr->nused) + LUA_MINSTACK, NULL);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  loaded = lua_gettop(L);
  first = loaded + 1;
  for (i = 0; i < gr->nused; i++) {
    if (!pushoutside(L, snap->used[i], loaded)) return 0;
  }
  c.graph = gr;
  luaS_meetshared(L);
  if (!copygraph(L, &c)) return 0;
  luaE_graphlink(gr, c.copies, L->ci->func.p + first);
  pushtable(L, c.copies[OUTER]);
  for (i = 0; i < (unsigned)host.inner.n; i++) {
    if (snap->inner[i] == OUTER)
      lua_pushboolean(L, 1);
    else
      pushtable(L, c.copies[snap->inner[i]]);
    lua_setfield(L, loaded, host.inner.name[i]);
  }
  luaC_checkGC(L);
  return 1;
}


/* a loader: upvalues are the outer module's function and the snapshot */
static int takesnapshot (lua_State *L) {
  const ModuleSnapshot *snap =
    (const ModuleSnapshot *)lua_touserdata(L, lua_upvalueindex(2));
  int nargs = lua_gettop(L);
  if (take(L, snap)) return 1;
  lua_settop(L, nargs);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, nargs, LUA_MULTRET);
  return lua_gettop(L);
}


void luaE_applysnapshot (lua_State *L, SnapshotSlot *slot, const char *filename,
                      const void *outer, const void *const *inner) {
  const TValue *fn = s2v(L->top.p - 1);
  const Proto *p;
  int state = EMPTY;
  if (!ttisLclosure(fn) || !isshared(clLvalue(fn)->p)) return;
  p = clLvalue(fn)->p;
  if (__atomic_compare_exchange_n(&slot->state, &state, BUSY, 0,
                                  __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
    Making m;
    m.filename = filename;
    m.outer = outer;
    m.inner = inner;
    slot->snapshot = makesnapshot(&m, p);
    __atomic_store_n(&slot->state, DONE, __ATOMIC_RELEASE);
    state = DONE;
  }
  /* while another thread makes it: without */
  if (state != DONE || slot->snapshot == NULL || slot->snapshot->outer != p)
    return;
  lua_pushlightuserdata(L, slot->snapshot);
  lua_pushcclosure(L, takesnapshot, 2);
}


LUA_API void lua_innermodulesnapshot (lua_State *L, const void *outer,
                             const void *const *inner) {
  static SnapshotSlot slot;  /* such code stays for ever */
  luaE_applysnapshot(L, &slot, NULL, outer, inner);
}

/* }====================================================== */
