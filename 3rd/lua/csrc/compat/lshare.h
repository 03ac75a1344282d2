/*
** lshare.h
** Objects that several Lua states of one process read at the same time.
**
** A shared object carries the age G_SHARED in 'marked'. It belongs to the
** state that created it and lives until that state closes: no collector
** marks it, sweeps it or paints it, and no state changes what other states
** can see of it. Strings with the same text may then exist more than once
** in one state (its own and a shared one), so short strings are no longer
** equal only by address; see 'eqshrstr'.
*/

#ifndef lshare_h
#define lshare_h

#include <string.h>

#include "lobject.h"
#include "lstate.h"

/* same text? For two short strings at different addresses. */
LUAI_FUNC int luaS_sametext (const TString *a, const TString *b);

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

/* short string of the VM snapshot with that text and hash; NULL for none */
LUAI_FUNC TString *luaS_pooled (const char *str, size_t l, unsigned h);

/* the state that the pool belongs to; NULL while there is none */
LUAI_FUNC const global_State *luaE_snapshotowner (void);

/* share a string (NULL is allowed: stripped debug information) */
LUAI_FUNC void luaS_share (TString *ts);

/* share a prototype with all that it refers to */
LUAI_FUNC void luaF_share (Proto *p);

/* hash seed of every state of the process: the first 'wanted' wins */
LUAI_FUNC unsigned luaE_commonseed (unsigned wanted);

/* give back the generations of cached code that a closing state used */
LUAI_FUNC void luaE_releasecode (global_State *g);

/* does the state use exactly one generation? */
LUAI_FUNC int luaE_usesonecode (const global_State *g);

#endif
