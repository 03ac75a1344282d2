/*
** lstrset.c
** Short strings that several states of the process use; see 'lstrset.h'.
**
** Sets grow under a lock and are read without one: a slot is one word, which
** is written after the string that it leads to, and what has been read once
** stays until the set is closed.
*/

#define lstrset_c
#define LUA_CORE

#include "lprefix.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lua.h"

#include "lgc.h"
#include "lstate.h"
#include "lstring.h"
#include "lstrset.h"


#define FIRSTCHUNK	6  /* log2 of its size */
#define MINSLOTS	64

/*
** Bits that the filter of a set has for each slot. Of the slots half are
** taken at most, so of 16 texts that are not in the set one at most has a bit
*/
#define FILTERBYSLOT	8

#define FILTERBITS	20
#define FILTERWORDS	(1u << (FILTERBITS - 5))


/* guards all changes of sets and of the filter */
static pthread_mutex_t publishing = PTHREAD_MUTEX_INITIALIZER;

static StringSet permanent;  /* never closed */
static StringSet *opensets = NULL;  /* the others that are not foreign */
static unsigned filter[FILTERWORDS];  /* by hash; atomic */

/*
** How often something was published, and how often of that something
** foreign. Raised afterwards: who sees the number sees what it counts.
*/
static size_t published = 0;
static size_t publishedforeign = 0;


#define loadacquire(p)		__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define storerelease(p,v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define increment(p)	__atomic_add_fetch(p, 1, __ATOMIC_RELEASE)


/*
** {======================================================
** Sets
** =======================================================
*/

StringSet *luaS_permanentset (void) {
  return &permanent;
}


static TString **placeof (const StringSet *set, unsigned i) {
  uint64_t n = (uint64_t)i + (1u << FIRSTCHUNK);
  int top = 63 - __builtin_clzll(n);
  return &set->chunks[top - FIRSTCHUNK][n - ((uint64_t)1 << top)];
}


/* where the filter of a set has the bit of a hash */
static unsigned *filterword (const SetSlots *s, unsigned h) {
  unsigned words = (s->mask + 1) / (32 / FILTERBYSLOT);
  unsigned *filter = (unsigned *)&s->slots[s->mask + 1];
  return &filter[(h >> 5) & (words - 1)];
}


static TString *find (const StringSet *set, const char *str, size_t l,
                      unsigned h) {
  const SetSlots *s = loadacquire(&set->slots);
  unsigned i = h;
  if (s == NULL) return NULL;
  /* mostly it is not there, and a bit is easier to foresee than a slot */
  if (!((__atomic_load_n(filterword(s, h), __ATOMIC_RELAXED) >> (h & 31)) & 1))
    return NULL;
  for (;; i++) {
    unsigned long long slot = loadacquire(&s->slots[i & s->mask]);
    if (slot == 0) return NULL;
    if (cast_uint(slot >> 32) == h) {
      TString *ts = *placeof(set, cast_uint(slot) - 1);
      if (l == cast_uint(ts->shrlen) &&
          luaS_samebytes(str, getshrstr(ts), l))
        return ts;
    }
  }
}


static TString *findtwin (const StringSet *set, const TString *ts) {
  TString *twin = find(set, getshrstr(ts), cast_sizet(ts->shrlen), ts->hash);
  return (twin == ts) ? NULL : twin;
}


static void put (SetSlots *s, unsigned hash, unsigned i) {
  unsigned at = hash;
  while (s->slots[at & s->mask] != 0) at++;
  __atomic_or_fetch(filterword(s, hash), 1u << (hash & 31), __ATOMIC_RELAXED);
  storerelease(&s->slots[at & s->mask], (unsigned long long)hash << 32 | (i + 1));
}


/* place for one more; 0 when there is no memory */
static int makeroom (StringSet *set) {
  SetSlots *s = set->slots;
  unsigned n = set->count;
  int top = 63 - __builtin_clzll((uint64_t)n + (1u << FIRSTCHUNK));
  TString ***chunk;
  if (top - FIRSTCHUNK >= NSETCHUNKS - 1) return 0;
  chunk = &set->chunks[top - FIRSTCHUNK];
  if (*chunk == NULL &&
      (*chunk = (TString **)malloc(sizeof(TString *) << top)) == NULL)
    return 0;
  if (s == NULL || n >= s->mask / 2) {
    unsigned size = (s == NULL) ? MINSLOTS : (s->mask + 1) * 2;
    unsigned i;
    SetSlots *bigger = (SetSlots *)calloc(1, sizeof(SetSlots) +
                                             size * sizeof(s->slots[0]) +
                                             size * FILTERBYSLOT / 8);
    if (bigger == NULL) return 0;
    bigger->mask = size - 1;
    bigger->older = s;
    for (i = 0; i < n; i++)
      put(bigger, (*placeof(set, i))->hash, i);
    storerelease(&set->slots, bigger);
  }
  return 1;
}


static int insert (StringSet *set, TString *ts) {
  unsigned n = set->count;
  if (!makeroom(set)) return 0;
  *placeof(set, n) = ts;
  put(set->slots, ts->hash, n);
  storerelease(&set->count, n + 1);
  return 1;
}


void luaS_openset (StringSet *set) {
  pthread_mutex_lock(&publishing);
  set->next = opensets;
  opensets = set;
  pthread_mutex_unlock(&publishing);
}


/* with the lock */
static void removeopen (const StringSet *set) {
  StringSet **p = &opensets;
  while (*p != set) p = &(*p)->next;
  *p = set->next;
}


void luaS_closeset (StringSet *set) {
  SetSlots *s = set->slots;
  int i;
  pthread_mutex_lock(&publishing);
  if (!set->isforeign) removeopen(set);
  pthread_mutex_unlock(&publishing);
  while (s != NULL) {
    SetSlots *older = s->older;
    free(s);
    s = older;
  }
  for (i = 0; i < NSETCHUNKS; i++)
    free(set->chunks[i]);
}

/* }====================================================== */


/*
** {======================================================
** Publishing; with the lock
** =======================================================
*/

static void marktwin (TString *ts) {
  if (!istwin(ts)) l_addextra(ts, TWINBIT);
}


static void marktwins (const StringSet *set, TString *ts) {
  TString *twin = findtwin(set, ts);
  if (twin != NULL) {
    marktwin(twin);
    marktwin(ts);
  }
}


/*
** Sets that are foreign need no look: their strings are marked, and the
** filter tells whoever comes later
*/
static void publishforeign (TString *ts) {
  StringSet *set;
  l_addextra(ts, TWINBIT | FOREIGNBIT);
  marktwins(&permanent, ts);
  for (set = opensets; set != NULL; set = set->next)
    marktwins(set, ts);
  __atomic_or_fetch(&filter[(ts->hash >> 5) & (FILTERWORDS - 1)],
                    1u << (ts->hash & 31), __ATOMIC_RELAXED);
  increment(&publishedforeign);
}


static void publishinset (StringSet *set, TString *ts) {
  marktwins(&permanent, ts);
  if (set == &permanent) {
    StringSet *other;
    for (other = opensets; other != NULL; other = other->next)
      marktwins(other, ts);
  }
  if (luaS_hasforeign(ts->hash)) marktwin(ts);
  if (insert(set, ts)) {
    if (set == &permanent) l_addextra(ts, PERMANENTBIT);
    if (!set->isforeign) return;
  }
  publishforeign(ts);  /* also without memory for the set */
}


void luaS_publish (StringSet *set, TString *ts) {
  pthread_mutex_lock(&publishing);
  if (set != NULL)
    publishinset(set, ts);
  else
    publishforeign(ts);
  increment(&published);
  pthread_mutex_unlock(&publishing);
}


void luaS_share (global_State *g, TString *ts) {
  int wasshared;
  if (ts == NULL) return;
  wasshared = isshared(ts);
  if (ts->tt == LUA_VLNGSTR) {
    if (wasshared) return;
    luaS_hashlongstr(ts);  /* readers must find the hash, not write it */
    makeshared(ts);
    return;
  }
  /*
  ** One that is shared already is known to whom its owner's set is; a state
  ** without a set hands it on to others
  */
  if (wasshared &&
      (g->ownset != NULL || (l_loadextra(ts) & (FOREIGNBIT | PERMANENTBIT))))
    return;
  if (!wasshared) makeshared(ts);
  luaS_publish(g->ownset, ts);
}

/* }====================================================== */


/*
** {======================================================
** States that use what is shared
** =======================================================
*/

void luaS_initsets (global_State *g) {
  g->ownset = NULL;
  g->codeset = NULL;
  g->seenall = loadacquire(&published);
  g->seenforeign = loadacquire(&publishedforeign);
  g->seenpermanent = loadacquire(&permanent.count);
  g->seencode = 0;
}


int luaS_hasforeign (unsigned h) {
  unsigned word = __atomic_load_n(&filter[(h >> 5) & (FILTERWORDS - 1)],
                                  __ATOMIC_RELAXED);
  return (word >> (h & 31)) & 1;
}


TString *luaS_findshared (const global_State *g, const char *str, size_t l,
                          unsigned h) {
  TString *ts = find(&permanent, str, l, h);
  if (ts == NULL && g->codeset != NULL)
    ts = find(g->codeset, str, l, h);
  return ts;
}


void luaS_useset (global_State *g, StringSet *set) {
  StringSet *old = g->codeset;
  if (old != NULL) {
    pthread_mutex_lock(&publishing);
    if (!old->isforeign) {
      unsigned i;
      removeopen(old);
      old->isforeign = 1;
      for (i = 0; i < old->count; i++)
        publishforeign(*placeof(old, i));
      increment(&published);
    }
    pthread_mutex_unlock(&publishing);
  }
  g->codeset = set;
  g->seencode = 0;
  g->seenall = 0;
}


/* strings of the state's own with a twin in a set, or perhaps elsewhere */
static void lookathome (global_State *g, const StringSet *set) {
  stringtable *tb = &g->strt;
  int i;
  for (i = 0; i < tb->size; i++) {
    TString *ts;
    for (ts = tb->hash[i]; ts != NULL; ts = ts->u.hnext) {
      if (set != NULL)
        marktwins(set, ts);
      else if (luaS_hasforeign(ts->hash))
        marktwin(ts);
    }
  }
}


/* the same from the other side: what came to a set after 'seen' strings */
static void lookinset (global_State *g, const StringSet *set, unsigned seen,
                       unsigned count) {
  const stringtable *tb = &g->strt;
  for (; seen < count; seen++) {
    TString *ts = *placeof(set, seen);
    TString *own;
    for (own = tb->hash[lmod(ts->hash, tb->size)]; own != NULL;
         own = own->u.hnext) {
      if (own != ts && own->hash == ts->hash && luaS_sametext(own, ts)) {
        marktwin(own);
        marktwin(ts);
        break;
      }
    }
  }
}


static unsigned meetset (global_State *g, const StringSet *set,
                         unsigned seen) {
  unsigned count = loadacquire(&set->count);
  if (count - seen > cast_uint(g->strt.nuse))
    lookathome(g, set);
  else
    lookinset(g, set, seen, count);
  return count;
}


void luaS_meetshared (lua_State *L) {
  global_State *g = G(L);
  size_t now = loadacquire(&published);
  size_t foreign;
  if (g->seenall == now) return;
  foreign = loadacquire(&publishedforeign);
  g->seenpermanent = meetset(g, &permanent, g->seenpermanent);
  if (g->codeset != NULL)
    g->seencode = meetset(g, g->codeset, g->seencode);
  if (g->seenforeign != foreign)
    lookathome(g, NULL);
  g->seenforeign = foreign;
  g->seenall = now;
}

/* }====================================================== */


/* (Atomic: or the compiler reads 'extra', between the two, with them.) */
l_cold int luaS_sametext (const TString *a, const TString *b) {
  return a->hash == b->hash &&
         __atomic_load_n(&a->shrlen, __ATOMIC_RELAXED) ==
         __atomic_load_n(&b->shrlen, __ATOMIC_RELAXED) &&
         luaS_samebytes(getshrstr(a), getshrstr(b), cast_sizet(a->shrlen));
}
