/*
** lstrset.h
** Short strings that several states of the process use: one string for each
** text, so that a state compares addresses.
**
** A set holds the short strings that one owner shares: those of a generation
** of the code cache, or those of states that are never closed. A state that
** makes a short string first looks in the sets that it knows: the permanent
** one and that of its newest generation. So it has two strings with one text
** only if the shared one came later than its own, or out of no set that it
** knows. Such strings are twins: they carry a bit that tells to compare
** texts where the addresses differ.
**
** Invariant: if a state can reach two short strings with the same text at
** different addresses, both carry TWINBIT. What keeps it:
** - A string enters a set: a twin of it in the permanent set, or for the
**   permanent set in any other, is marked with it.
** - A string is shared out of no set ("foreign"): it is marked, so is its
**   twin in every set, and its hash goes to a filter. Whoever makes or shares
**   a string with such a hash marks that string.
** - A state comes to a second generation: the strings of the first one become
**   foreign, and it knows the set of the second one. From then on the first
**   set is one of marked strings whose hashes are in the filter: what is
**   shared later need not be looked for in it, however many such there are.
** - A state takes something shared: if anything has been published since it
**   last did so, it looks for twins among the strings of its own
**   ('luaS_meetshared').
*/

#ifndef lstrset_h
#define lstrset_h

#include <string.h>

#include "lobject.h"
#include "lstate.h"

/*
** Bits of 'extra' in short strings; below them is the reserved word. Other
** threads may set them in shared strings.
*/
#define TWINBIT		0x80
#define FOREIGNBIT	0x40  /* published as foreign */
#define PERMANENTBIT	0x20  /* in the permanent set */
#define RESERVEDMASK	0x1f

#if defined(__GNUC__)
#define l_loadextra(ts)		__atomic_load_n(&(ts)->extra, __ATOMIC_RELAXED)
#define l_addextra(ts,b)	__atomic_or_fetch(&(ts)->extra, b, __ATOMIC_RELAXED)
#define l_cold		__attribute__((noinline, cold))
#else
#error "needs atomic operations of GCC"
#endif

#define istwin(ts)	((l_loadextra(ts) & TWINBIT) != 0)

/* chunks of a set's list: the first has 64 places, others twice the last */
#define NSETCHUNKS	26

typedef struct SetSlots {
  struct SetSlots *older;  /* smaller ones: threads may still read them */
  unsigned mask;
  unsigned long long slots[1];  /* hash above place + 1, or 0; atomic */
} SetSlots;

struct StringSet {
  SetSlots *slots;  /* atomic; NULL while it is empty */
  TString **chunks[NSETCHUNKS];  /* in the order in which they came */
  unsigned count;  /* atomic */
  int isforeign;  /* all of its strings are foreign ones, too */
  struct StringSet *next;  /* open sets but foreign and the permanent one */
};

typedef struct StringSet StringSet;

/* begins or ends to be a set; the memory is zeros before */
LUAI_FUNC void luaS_openset (StringSet *set);
LUAI_FUNC void luaS_closeset (StringSet *set);

/* the set of states that are never closed */
LUAI_FUNC StringSet *luaS_permanentset (void);

/* the state comes to know a set, which lives as long as the state */
LUAI_FUNC void luaS_useset (global_State *g, StringSet *set);

/* share a string of the state (NULL is allowed: no debug information) */
LUAI_FUNC void luaS_share (global_State *g, TString *ts);

/* a string of an owner that is shared already comes to its set, or to none */
LUAI_FUNC void luaS_publish (StringSet *set, TString *ts);

/* a new state, before it has strings */
LUAI_FUNC void luaS_initsets (global_State *g);

/* string with that text and hash in the sets that a state knows, or NULL */
LUAI_FUNC TString *luaS_findshared (const global_State *g, const char *str,
                                    size_t l, unsigned h);

/* may a new string with that hash have a foreign twin? */
LUAI_FUNC int luaS_hasforeign (unsigned h);

/* before the state gets at something that is shared */
LUAI_FUNC void luaS_meetshared (lua_State *L);

/* two short strings at different addresses, one of them a twin: same text? */
LUAI_FUNC int luaS_sametext (const TString *a, const TString *b);

/* the invariant, for assertions: one string, two texts, or twins */
#define luaS_differs(a,b)  \
	((a) == (b) || (istwin(a) && istwin(b)) || !luaS_sametext(a, b))

/*
** Are the 'l' bytes equal? Short strings are padded to words, but what is
** looked for may be the end of a block.
*/
static inline int luaS_samebytes (const char *a, const char *b, size_t l) {
  unsigned long long x, y;
  size_t i;
  if (l < sizeof(x)) {
    unsigned int v, w;
    if (l < sizeof(v)) {
      for (i = 0; i < l; i++) {
        if (a[i] != b[i]) return 0;
      }
      return 1;
    }
    memcpy(&v, a, sizeof(v));
    memcpy(&w, b, sizeof(w));
    if (v != w) return 0;
    memcpy(&v, a + l - sizeof(v), sizeof(v));  /* may overlap the first */
    memcpy(&w, b + l - sizeof(w), sizeof(w));
    return v == w;
  }
  for (i = 0; i + sizeof(x) < l; i += sizeof(x)) {
    memcpy(&x, a + i, sizeof(x));
    memcpy(&y, b + i, sizeof(y));
    if (x != y) return 0;
  }
  memcpy(&x, a + l - sizeof(x), sizeof(x));  /* may overlap the last one */
  memcpy(&y, b + l - sizeof(y), sizeof(y));
  return x == y;
}

#endif
