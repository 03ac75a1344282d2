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

/*
** Whether the collector has called the function of 'ar', which is filled as
** for 'lua_getcaller': an error in it goes no further than to who collects.
*/
LUA_API int (lua_isfinalizer) (lua_State *L, const lua_Debug *ar);

/*
** Where the frame of the function of 'ar', which is filled as for
** 'lua_getcaller', begins on the stack. Of two that are there at a time, the
** one that was called by the other begins higher; a function that was
** tail called begins where its caller did. Costs the same at each level.
*/
LUA_API ptrdiff_t (lua_framebase) (lua_State *L, const lua_Debug *ar);

/*
** Calls 'f', which gets the main coroutine, outside of all that the main
** coroutine does: what is raised there meanwhile, also because a coroutine
** that raises is in no protected call, comes back as the answer, a status
** with the value at the top of the main coroutine's stack. Needs room for
** two values there. No function is added to the stack.
*/
typedef void (*lua_Contained) (lua_State *mainth, void *ud);

LUA_API int (lua_contain) (lua_State *L, lua_Contained f, void *ud);

/*
** Stops the collector as it is stopped in a finalizer, where 'lua_gc' does
** nothing, or lets it go on; when it is due stays as it is. Whether it was
** stopped so before.
*/
LUA_API int (lua_holdgc) (lua_State *L, int hold);

LUAI_FUNC void luaG_raised (lua_State *L);

#endif
