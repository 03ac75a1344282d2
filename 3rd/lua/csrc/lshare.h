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

#include "lobject.h"
#include "lstate.h"

/* same text? For two short strings at different addresses. */
LUAI_FUNC int luaS_sametext (const TString *a, const TString *b);

/* short string of the template with that text and hash; NULL for none */
LUAI_FUNC TString *luaS_pooled (const char *str, size_t l, unsigned h);

/* the state that the pool belongs to; NULL while there is none */
LUAI_FUNC const global_State *luaE_template (void);

/* share a string (NULL is allowed: stripped debug information) */
LUAI_FUNC void luaS_share (TString *ts);

/* share a prototype with all that it refers to */
LUAI_FUNC void luaF_share (Proto *p);

/* hash seed of every state of the process: the first 'wanted' wins */
LUAI_FUNC unsigned luaE_commonseed (unsigned wanted);

/* give back the generations of cached code that a closing state used */
LUAI_FUNC void luaE_releasecode (global_State *g);

#endif
