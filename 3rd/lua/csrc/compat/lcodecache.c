/*
** lcodecache.c
** Cache of compiled files for all Lua states of the process, and the module
** 'skynet.codecache' that controls it.
**
** The files loaded between two calls of 'clear' form a generation. One
** hidden state compiles them, so that equal strings of different files are
** one object. A state that takes a function from a generation registers as
** its user and stays so until it closes (its collector never looks at shared
** objects, so it cannot tell earlier). The generation goes away with its
** last user, unless it is the current one.
**
** Locks: 'cachelock' guards the lists and counts below and is held for a
** look-up only; 'compiling' of a generation is held while a file is compiled,
** so two states that want the same new file get one prototype. 'cachelock' may
** be taken under 'compiling', and the lock of 'lstrset.c' under both, never the
** other way round. Nothing raises a Lua error in the caller's state while a
** lock is held.
*/

#define lcodecache_c
#define LUA_LIB

#include "lprefix.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lua.h"

#include "lauxlib.h"
#include "lualib.h"

#include "lhost.h"
#include "lmodsnapshot.h"
#include "lshare.h"
#include "lstate.h"


/* values of 'global_State.codemode'; a new state starts with ON */
#define MODE_ON		0
#define MODE_OFF	1
#define MODE_EXIST	2

/* kinds of chunks that the 'mode' of a load accepts */
#define KIND_TEXT	1
#define KIND_BINARY	2
#define KIND_UNKNOWN	(-1)

#define NSLOTS		256


typedef struct Entry {
  struct Entry *next;
  const void *fn;  /* a closure in the generation's state */
  unsigned hash;
  int kinds;
  char name[1];
} Entry;


typedef struct Generation {
  lua_State *L;
  pthread_mutex_t compiling;
  size_t users;  /* states that use it, and one more while it is current */
  SnapshotSlot snapshot;
  StringSet set;  /* short strings of its code */
  Entry *slots[NSLOTS];
} Generation;


/* node of the list 'global_State.codeuse' */
typedef struct Use {
  struct Use *next;
  Generation *gen;
} Use;


static pthread_mutex_t cachelock = PTHREAD_MUTEX_INITIALIZER;
static Generation *current = NULL;
static size_t ngenerations = 0;  /* all three guarded by 'cachelock' */
static size_t nentries = 0;
static size_t nbytes = 0;  /* of all hidden states; atomic */


static void *countedalloc (void *ud, void *ptr, size_t osize, size_t nsize) {
  size_t old = (ptr == NULL) ? 0 : osize;
  (void)ud;
  if (nsize == 0) {
    free(ptr);
    __atomic_sub_fetch(&nbytes, old, __ATOMIC_RELAXED);
    return NULL;
  }
  ptr = realloc(ptr, nsize);
  if (ptr != NULL)
    __atomic_add_fetch(&nbytes, nsize - old, __ATOMIC_RELAXED);
  return ptr;
}


static unsigned hashname (const char *name) {
  unsigned h = 2166136261u;
  for (; *name != '\0'; name++)
    h = (h ^ (unsigned char)*name) * 16777619u;
  return h;
}


/* the next three are called with 'cachelock' held */

static Generation *newgeneration (void) {
  Generation *gen = (Generation *)calloc(1, sizeof(Generation));
  if (gen == NULL) return NULL;
  gen->L = lua_newstate(countedalloc, NULL, luaL_makeseed(NULL));
  if (gen->L == NULL) {
    free(gen);
    return NULL;
  }
  pthread_mutex_init(&gen->compiling, NULL);
  luaS_openset(&gen->set);
  G(gen->L)->ownset = &gen->set;
  gen->users = 1;  /* it is current */
  ngenerations++;
  return gen;
}


static const Entry *lookup (const Generation *gen, const char *name,
                            unsigned hash, int kinds) {
  const Entry *e = gen->slots[hash % NSLOTS];
  while (e != NULL && !(e->hash == hash && e->kinds == kinds &&
                        strcmp(e->name, name) == 0))
    e = e->next;
  return e;
}


static int isuser (const global_State *g, const Generation *gen) {
  const Use *u = (const Use *)g->codeuse;
  while (u != NULL && u->gen != gen) u = u->next;
  return u != NULL;
}


/* make the state a user of 'gen'; returns 0 when there is no memory */
static int adduser (global_State *g, Generation *gen) {
  Use *u;
  if (isuser(g, gen)) return 1;
  u = (Use *)malloc(sizeof(Use));
  if (u == NULL) return 0;
  u->gen = gen;
  u->next = (Use *)g->codeuse;
  g->codeuse = u;
  gen->users++;
  luaS_useset(g, &gen->set);
  return 1;
}


/* one user less; frees the generation when that was the last one */
static void dropuser (Generation *gen) {
  size_t i;
  size_t gone = 0;
  pthread_mutex_lock(&cachelock);
  i = --gen->users;
  pthread_mutex_unlock(&cachelock);
  if (i > 0) return;
  luaE_closesnapshot(&gen->snapshot);
  luaS_closeset(&gen->set);
  lua_close(gen->L);  /* nobody else can reach 'gen' any more */
  for (i = 0; i < NSLOTS; i++) {
    Entry *e = gen->slots[i];
    while (e != NULL) {
      Entry *next = e->next;
      free(e);
      gone++;
      e = next;
    }
  }
  pthread_mutex_destroy(&gen->compiling);
  free(gen);
  pthread_mutex_lock(&cachelock);
  ngenerations--;
  nentries -= gone;
  pthread_mutex_unlock(&cachelock);
}


int luaE_usesonecode (const global_State *g) {
  const Use *u = (const Use *)g->codeuse;
  return u != NULL && u->next == NULL;
}


int luaE_hascodeof (const global_State *g, const global_State *owner,
                    int (*has) (const void *ud, const lua_State *of),
                    const void *ud) {
  const Use *u;
  int found = 0;
  for (u = (const Use *)owner->codeuse; u != NULL && !found; u = u->next) {
    Generation *gen = u->gen;
    const lua_State *modules;
    if (isuser(g, gen)) continue;  /* it stays as long as 'g' does */
    pthread_mutex_lock(&gen->compiling);
    found = has(ud, gen->L);
    pthread_mutex_unlock(&gen->compiling);
    modules = luaE_snapshotstate(&gen->snapshot);
    if (!found && modules != NULL)
      found = has(ud, modules);
  }
  return found;
}


void luaE_releasecode (global_State *g) {
  Use *u = (Use *)g->codeuse;
  g->codeuse = NULL;
  g->codeset = NULL;
  while (u != NULL) {
    Use *next = u->next;
    dropuser(u->gen);
    free(u);
    u = next;
  }
}


/*
** {======================================================
** Loading
** =======================================================
*/

typedef struct Job {
  const char *name;
  const char *mode;
  const void *fn;  /* result */
} Job;


/* compiles a file in the hidden state and anchors the function there */
static int compile (lua_State *L) {
  Job *job = (Job *)lua_touserdata(L, 1);
  if (luaL_loadfilex_(L, job->name, job->mode) != LUA_OK)
    return lua_error(L);
  lua_sharefunction(L, -1);
  job->fn = lua_topointer(L, -1);
  luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}


/* with 'compiling' held: the function, or NULL when it cannot be had */
static const void *compilefile (Generation *gen, const char *name,
                                const char *mode, unsigned hash, int kinds) {
  lua_State *L = gen->L;
  size_t size = strlen(name) + 1;
  Job job;
  Entry *e = (Entry *)malloc(offsetof(Entry, name) + size);
  if (e == NULL) return NULL;
  job.name = name;
  job.mode = mode;
  job.fn = NULL;
  lua_pushcfunction(L, compile);
  lua_pushlightuserdata(L, &job);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    lua_settop(L, 0);
    free(e);
    return NULL;
  }
  e->fn = job.fn;
  e->hash = hash;
  e->kinds = kinds;
  memcpy(e->name, name, size);
  pthread_mutex_lock(&cachelock);
  e->next = gen->slots[hash % NSLOTS];
  gen->slots[hash % NSLOTS] = e;
  nentries++;
  pthread_mutex_unlock(&cachelock);
  return e->fn;
}


static int acceptedkinds (const char *mode) {
  int kinds = 0;
  if (mode == NULL) return KIND_TEXT | KIND_BINARY;
  for (; *mode != '\0'; mode++) {
    if (*mode == 't') kinds |= KIND_TEXT;
    else if (*mode == 'b') kinds |= KIND_BINARY;
    else return KIND_UNKNOWN;
  }
  return kinds;
}


/* only what can be read again is cached: no pipes, no devices */
static int isregular (const char *name) {
  struct stat st;
  return stat(name, &st) == 0 && S_ISREG(st.st_mode);
}


/*
** The cached function for a file, or NULL when it must be loaded without
** the cache: because the mode of the state says so, or because the load
** failed here and the state shall get the error itself.
*/
static const void *cached (global_State *g, const char *name,
                           const char *mode) {
  const void *fn = NULL;
  int kinds = acceptedkinds(mode);
  unsigned hash;
  Generation *gen;
  const Entry *e = NULL;
  if (name == NULL || g->codemode == MODE_OFF || kinds == KIND_UNKNOWN)
    return NULL;
  hash = hashname(name);
  pthread_mutex_lock(&cachelock);
  if (current == NULL && g->codemode == MODE_ON)
    current = newgeneration();
  gen = current;
  if (gen != NULL) {
    e = lookup(gen, name, hash, kinds);
    if ((e != NULL || g->codemode == MODE_ON) && !adduser(g, gen))
      gen = NULL;
    else if (e != NULL)
      fn = e->fn;
  }
  pthread_mutex_unlock(&cachelock);
  if (fn != NULL || gen == NULL || g->codemode != MODE_ON || !isregular(name))
    return fn;
  pthread_mutex_lock(&gen->compiling);
  pthread_mutex_lock(&cachelock);
  e = lookup(gen, name, hash, kinds);  /* somebody was faster? */
  pthread_mutex_unlock(&cachelock);
  fn = (e != NULL) ? e->fn : compilefile(gen, name, mode, hash, kinds);
  pthread_mutex_unlock(&gen->compiling);
  return fn;
}


LUALIB_API int luaL_loadfilex (lua_State *L, const char *filename,
                                             const char *mode) {
  const void *fn = cached(G(L), filename, mode);
  if (fn == NULL) {
    int status = luaL_loadfilex_(L, filename, mode);
    if (status == LUA_ERRFILE && filename != NULL)
      status = luaE_insteadof(L, filename);
    return status;
  }
  lua_clonefunction(L, fn);
  return LUA_OK;
}

void luaE_snapshotfor (lua_State *L, const char *name, const char *filename) {
  const Use *u = (const Use *)G(L)->codeuse;
  /* the first one is the generation that was current when it was loaded */
  if (u != NULL && luaE_hassnapshot(name))
    luaE_applysnapshot(L, &u->gen->snapshot, filename, NULL, NULL);
}

/* }====================================================== */


/* kept for programs that call it; the locks need no preparation */
LUALIB_API void luaL_initcodecache (void) {
}


static int cache_clear (lua_State *L) {
  Generation *old;
  (void)L;
  pthread_mutex_lock(&cachelock);
  old = current;
  current = NULL;  /* the next load begins a generation */
  pthread_mutex_unlock(&cachelock);
  if (old != NULL)
    dropuser(old);
  return 0;
}


static int cache_mode (lua_State *L) {
  static const char *const names[] = { "ON", "OFF", "EXIST", NULL };
  if (lua_isnoneornil(L, 1)) {
    lua_pushstring(L, names[G(L)->codemode]);
    return 1;
  }
  G(L)->codemode = (lu_byte)luaL_checkoption(L, 1, NULL, names);
  return 0;
}


LUAMOD_API int luaopen_cache (lua_State *L) {
  static const luaL_Reg functions[] = {
    {"clear", cache_clear},
    {"mode", cache_mode},
    {NULL, NULL}
  };
  luaL_newlib(L, functions);
  lua_getglobal(L, "loadfile");
  lua_setfield(L, -2, "loadfile");
  return 1;
}


/*
** What the cache holds now: generations alive, files cached in them and
** bytes of their states. For tests and for statistics.
*/
void skynet_lua_cachestats (size_t stats[3]);
void skynet_lua_cachestats (size_t stats[3]) {
  pthread_mutex_lock(&cachelock);
  stats[0] = ngenerations;
  stats[1] = nentries;
  pthread_mutex_unlock(&cachelock);
  stats[2] = __atomic_load_n(&nbytes, __ATOMIC_RELAXED);
}
