/*
** lwanted.h
** What the caller of a running function does with its results.
*/

#ifndef lwanted_h
#define lwanted_h

#include "lua.h"

/*
** How many results the function at 'level' (as 'lua_getstack' counts: 0 is
** the running one) is asked for, LUA_MULTRET for all that there are; also
** for a level that does not exist.
*/
LUA_API int (lua_wanted) (lua_State *L, int level);

#endif
