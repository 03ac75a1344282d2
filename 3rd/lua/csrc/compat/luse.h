/*
** luse.h
** Whether a state still refers to what other states share.
*/

#ifndef luse_h
#define luse_h

#include "lua.h"

/*
** Collects garbage, then sets used[i] for each of the 'n' states in 'owners':
** 1 if 'L' refers to a shared object of that state - a table, a string, a
** function or its code -, or of cached code that is there for that state and
** not for 'L'; 0 if it does not. A state with a 0 may be closed, as far as 'L'
** is concerned, if 'L' gets no more references from elsewhere.
** In doubt (no memory, called by a finalizer) it says 1. Raises no error.
** No owner may run or be closed meanwhile; several states may ask at once.
*/
LUA_API void (lua_shareduse) (lua_State *L, lua_State *const *owners, int n,
                              unsigned char *used);

#endif
