/*
** ldebugger.h
** What a debugger needs beyond the official interface.
*/

#ifndef ldebugger_h
#define ldebugger_h

#include "lua.h"

#include "llimits.h"

/*
** Called when an error is raised, with its value at the top, before any
** message handler and before the stack is unwound. Must not raise errors.
*/
typedef void (*lua_ErrorWatcher) (lua_State *L);

/* from now on, for all states; NULL: nobody watches. Any thread */
LUA_API void (lua_watcherrors) (lua_ErrorWatcher watcher);

/*
** Calls 'each' with every line of the function at 'idx', and of those that
** are written in it, at which a line hook is called; some more than once.
** Does not raise errors.
*/
typedef void (*lua_EachLine) (void *ud, int line);

LUA_API void (lua_activelines) (lua_State *L, int idx, lua_EachLine each,
                                void *ud);

/*
** Leads 'ar', which 'lua_getstack' or this function has filled for 'L', on
** to who has called that function; 0 if nobody has. Unlike 'lua_getstack'
** it costs the same at each level.
*/
LUA_API int (lua_getcaller) (lua_State *L, lua_Debug *ar);

LUAI_FUNC void luaG_raised (lua_State *L);

#endif
