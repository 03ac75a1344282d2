/*
** lshare.h
** Objects that several Lua states of one process read at the same time.
**
** A shared object carries the age G_SHARED in 'marked'. It belongs to the
** state that created it and lives until that state closes: no collector
** marks it, sweeps it or paints it, and no state changes what other states
** can see of it. How short strings stay equal by address: 'lstrset.h'.
*/

#ifndef lshare_h
#define lshare_h

#include "lobject.h"
#include "lstate.h"
#include "lstrset.h"

/* the state that the pool belongs to; NULL while there is none */
LUAI_FUNC const global_State *luaE_snapshotowner (void);

/* share a prototype with all that it refers to */
LUAI_FUNC void luaF_share (global_State *g, Proto *p);

/* hash seed of every state of the process: the first 'wanted' wins */
LUAI_FUNC unsigned luaE_commonseed (unsigned wanted);

/* give back the generations of cached code that a closing state used */
LUAI_FUNC void luaE_releasecode (global_State *g);

/*
** Is there, for 'has', anything in the states of the cached code that 'owner'
** uses and 'g' does not? What an owner shares may have come from there, and
** goes away with the code's last user. 'owner' does not run meanwhile.
*/
LUAI_FUNC int luaE_hascodeof (const global_State *g, const global_State *owner,
                    int (*has) (const void *ud, const lua_State *of),
                    const void *ud);

/* does the state use exactly one generation? */
LUAI_FUNC int luaE_usesonecode (const global_State *g);

#endif
