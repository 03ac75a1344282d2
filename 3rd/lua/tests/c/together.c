/*
** Everything that VMs share, at once and in any order: VMs that any thread
** runs, one at a time, as workers run services. They load the same files, clear
** the cache, share tables and functions, read those of others, compare strings,
** collect and close; an owner closes when nobody has anything of it any more.
*/

#include "harness.h"
#include "lgc.h"
#include "lualib.h"
#include "lauxlib.h"
#include "luse.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int lua_gcpiece (lua_State *L, int *phase);

#define NVMS 10
#define NFILES 6
#define NBORROWED 6
#define STEPS 1200

/* a VM that runs nothing any more; its table is at 1, a function at 2 */
typedef struct Owner {
  lua_State *L;
  int users;
} Owner;

typedef struct Vm {
  pthread_mutex_t lock;  /* who runs it */
  lua_State *L;
  Owner *borrowed[NBORROWED];
} Vm;

static Vm vms[NVMS];
static pthread_mutex_t books = PTHREAD_MUTEX_INITIALIZER;
static Owner *offered = NULL;  /* the newest owner, and one user for that */

static unsigned next (unsigned *seed, unsigned n) {
  *seed = *seed * 1664525u + 1013904223u;
  return (*seed >> 8) % n;
}

static void unuse (Owner *o) {
  int last;
  pthread_mutex_lock(&books);
  last = (--o->users == 0);
  pthread_mutex_unlock(&books);
  if (last) {
    lua_close(o->L);
    free(o);
  }
}

static const char prelude[] =
  "kept, taken, own = {}, {}, {} "
  "for i = 1, 40 do own[i] = 'word' .. i end "
  "function check(m, f) "
  "  for i = 1, 20 do "
  "    local w = 'word' .. i "
  "    assert(m[w] == i and m.words[i] == w and m.words[i] == own[i] and m[own[i]] == i) "
  "    assert(({[m.words[i]] = 1})[own[i]] == 1) "
  "  end "
  "  assert(m.loaded == 'loaded' .. m.k and m.long == ('long'):rep(20) and m[m.words] == nil) "
  "  assert(not pcall(rawset, m, 1, 1) and not pcall(function() m.word1 = 2 end)) "
  "  assert(f(own[3]) == 'from word3' and f(m.words[4]) == 'from word4') "
  "end "
  "function use(k) "
  "  local f = assert(loadfile(dir .. '/together' .. k .. '.lua')) "
  "  local t = f(k) "
  "  assert(t.text == 'loaded' .. k and t.call(own) == own[k + 1] and t[own[k + 2]] == 'word' .. k + 2) "
  "  kept[#kept % 8 + 1] = t "
  "  for _, old in ipairs(kept) do assert(old.call(own) == own[old.k + 1] and old.text == 'loaded' .. old.k) end "
  "end "
  "function works() "
  "  for _, pair in pairs(taken) do check(pair[1], pair[2]) end "
  "  local new = {} for i = 1, 30 do new['word' .. i] = own[i] .. i end "
  "  for i = 1, 30 do assert(new[own[i]] == 'word' .. i .. i) end "
  "end "
  "function share(k) "
  "  local m = {k = k, words = {}, long = ('long'):rep(20), loaded = dofile(dir .. '/together' .. k .. '.lua').text} "
  "  for i = 1, 20 do m['wo' .. 'rd' .. i] = i m.words[i] = 'word' .. i end "
  "  return m, load('return \"from \" .. ...') "
  "end ";

static void call (lua_State *L, const char *name, int n, int results) {
  lua_getglobal(L, name);
  lua_pushinteger(L, n);
  if (lua_pcall(L, 1, results, 0) != LUA_OK) fail(name, lua_tostring(L, -1));
}

static lua_State *openprepared (unsigned *seed) {
  lua_State *L = openstate(next(seed, 2) ? "generational" : "incremental");
  run(L, "prelude", prelude);
  return L;
}

static void sharefields (lua_State *L, int idx) {
  makeshared((GCObject *)lua_topointer(L, idx));
  for (lua_pushnil(L); lua_next(L, idx) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING) lua_sharestring(L, -2);
    if (lua_type(L, -1) == LUA_TSTRING) lua_sharestring(L, -1);
    else if (lua_istable(L, -1)) sharefields(L, lua_gettop(L));
  }
}

/* a new owner takes the place of the one that is offered */
static void offer (unsigned *seed) {
  Owner *old, *o = (Owner *)malloc(sizeof(Owner));
  o->L = openprepared(seed);
  o->users = 1;
  call(o->L, "share", (int)next(seed, NFILES), 2);
  lua_gc(o->L, LUA_GCCOLLECT);
  lua_gc(o->L, LUA_GCSTOP);
  sharefields(o->L, 1);
  lua_sharefunction(o->L, 2);
  pthread_mutex_lock(&books);
  old = offered;
  offered = o;
  pthread_mutex_unlock(&books);
  if (old != NULL) unuse(old);
}

static void borrow (Vm *vm, int place) {
  Owner *o;
  if (vm->borrowed[place] != NULL) return;
  pthread_mutex_lock(&books);
  o = offered;
  if (o != NULL) o->users++;
  pthread_mutex_unlock(&books);
  if (o == NULL) return;
  vm->borrowed[place] = o;
  lua_getglobal(vm->L, "taken");
  lua_createtable(vm->L, 2, 0);
  lua_clonetable(vm->L, lua_topointer(o->L, 1));
  lua_rawseti(vm->L, -2, 1);
  lua_clonefunction(vm->L, lua_topointer(o->L, 2));
  lua_rawseti(vm->L, -2, 2);
  lua_rawseti(vm->L, -2, place);
  lua_pop(vm->L, 1);
}

/* keeps a string of what it has from the owner, or nothing */
static void leave (Vm *vm, int place, int all) {
  lua_pushinteger(vm->L, place);
  lua_setglobal(vm->L, "place");
  lua_pushboolean(vm->L, all);
  lua_setglobal(vm->L, "all");
  run(vm->L, "leave",
      "local pair = taken[place] taken[place] = nil "
      "if all then text = nil elseif pair then text = pair[1].loaded end "
      "if text then assert(text:find '^loaded%d$') end");
}

/* gives back the owners of which it has nothing, as it finds */
static void giveback (Vm *vm) {
  lua_State *owners[NBORROWED];
  int places[NBORROWED];
  unsigned char used[NBORROWED];
  int i, n = 0;
  for (i = 0; i < NBORROWED; i++) {
    if (vm->borrowed[i] == NULL) continue;
    places[n] = i;
    owners[n++] = vm->borrowed[i]->L;
  }
  lua_shareduse(vm->L, owners, n, used);
  for (i = 0; i < n; i++) {
    if (used[i]) continue;
    unuse(vm->borrowed[places[i]]);
    vm->borrowed[places[i]] = NULL;
  }
}

static void closevm (Vm *vm) {
  int i;
  lua_close(vm->L);
  for (i = 0; i < NBORROWED; i++) {
    if (vm->borrowed[i] != NULL) unuse(vm->borrowed[i]);
    vm->borrowed[i] = NULL;
  }
}

static void pieces (lua_State *L) {
  int phase = 0;
  while (lua_gcpiece(L, &phase) == 1)
    run(L, "pieces", "works()");
}

static void step (Vm *vm, unsigned *seed) {
  int place = (int)next(seed, NBORROWED);
  switch (next(seed, 16)) {
    case 0: offer(seed); break;
    case 1: run(vm->L, "clear", "cache.clear()"); break;
    case 2: run(vm->L, "collect", "collectgarbage()"); break;
    case 3: run(vm->L, "mode", "collectgarbage(collectgarbage 'generational' == 'generational' and 'incremental' or 'generational')"); break;
    case 4: leave(vm, place, 0); break;
    case 5: leave(vm, place, 1); break;
    case 6: case 7: giveback(vm); break;
    case 8:
      closevm(vm);
      vm->L = openprepared(seed);
      break;
    case 9: pieces(vm->L); break;
    case 10: case 11: borrow(vm, place); break;
    case 12: call(vm->L, "works", 0, 0); break;
    default: call(vm->L, "use", (int)next(seed, NFILES), 0); break;
  }
  run(vm->L, "step", "collectgarbage('step', 2)");
}

static void *work (void *arg) {
  unsigned seed = *(unsigned *)arg;
  int i;
  for (i = 0; i < STEPS; i++) {
    Vm *vm = &vms[next(&seed, NVMS)];
    if (pthread_mutex_trylock(&vm->lock) != 0) continue;
    step(vm, &seed);
    pthread_mutex_unlock(&vm->lock);
  }
  return NULL;
}

void test_together (void) {
  pthread_t threads[NTHREADS];
  unsigned seeds[NTHREADS];
  unsigned seed = 1;
  const char *given = getenv("TOGETHER_SEED");  /* other orders, by hand */
  int i;
  lua_State *L = openstate("incremental");
  if (given != NULL) seed = (unsigned)strtoul(given, NULL, 10);
  run(L, "write",
      "for k = 0, 5 do local f = assert(io.open(dir .. '/together' .. k .. '.lua', 'w')) "
      "f:write(('local k = ... return {k = k, text = \"loaded%d\", call = function(t) return t[%d] end, word%d = \"word%d\"}')"
      ":format(k, k + 1, k + 2, k + 2)) f:close() end");
  lua_close(L);
  for (i = 0; i < NVMS; i++) {
    pthread_mutex_init(&vms[i].lock, NULL);
    vms[i].L = openprepared(&seed);
  }
  for (i = 0; i < NTHREADS; i++) {
    seeds[i] = next(&seed, 1u << 20);
    pthread_create(&threads[i], NULL, work, &seeds[i]);
  }
  for (i = 0; i < NTHREADS; i++) pthread_join(threads[i], NULL);
  for (i = 0; i < NVMS; i++) {
    closevm(&vms[i]);
    pthread_mutex_destroy(&vms[i].lock);
  }
  if (offered != NULL) unuse(offered);
  offered = NULL;
}
