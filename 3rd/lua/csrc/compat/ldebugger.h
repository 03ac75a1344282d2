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
** message handler and before the stack is unwound. Must not raise errors. Not
** called where a stack has overflowed, until what did so has ended; nor for
** an error of a message handler that handles one of its own: Lua calls it
** for each, until the stack overflows.
*/
typedef void (*lua_ErrorWatcher) (lua_State *L);

/* from now on, for all states; NULL: nobody watches. Any thread */
LUA_API void (lua_watcherrors) (lua_ErrorWatcher watcher);

/*
** Called when 'debug.sethook' has taken the hook of the running coroutine
** away. Must not raise errors.
*/
typedef void (*lua_HookWatcher) (lua_State *L);

/* from now on, for all states; NULL: nobody watches. Any thread */
LUA_API void (lua_watchhooks) (lua_HookWatcher watcher);

/* for the library: 'L' has no hook any more */
LUA_API void (lua_unhooked) (lua_State *L);

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
** Whether the local variable 'n', as 'lua_getlocal' counts them, of the
** function of 'ar', which is filled as for 'lua_getcaller', is to be closed
** ('<close>'): it must not be changed. And the upvalue 'n' of the function at
** 'idx'.
*/
LUA_API int (lua_localcloses) (lua_State *L, const lua_Debug *ar, int n);
LUA_API int (lua_upvaluecloses) (lua_State *L, int idx, int n);

/*
** The next field of the table at 'idx': 1, with its key and value pushed. As
** 'lua_next' has them, but those with a key from 1 to 'list' are left out.
** 'place' is 0 at first, and tells where to go on. 0 if there are no more. Each
** slot of the table takes one of 'steps', whether there is a field in it: -1 if
** there are none left. Raises no errors; needs room for two values.
*/
LUA_API int (lua_following) (lua_State *L, int idx, lua_Unsigned list,
                             size_t *place, size_t *steps);

/*
** Where the frame of the function of 'ar', which is filled as for
** 'lua_getcaller', begins on the stack. Of two that are there at a time, the
** one that was called by the other begins higher; a function that was
** tail called begins where its caller did. Costs the same at each level.
*/
LUA_API ptrdiff_t (lua_framebase) (lua_State *L, const lua_Debug *ar);

/*
** How many calls 'L' has room for, which is no fewer than it is in. So much
** 'lua_sethook' costs. Unlike to count the calls, it costs the same always.
*/
LUA_API int (lua_callroom) (lua_State *L);

/*
** Calls 'f', which gets the main coroutine, outside of all that the main
** coroutine and the 'n' in 'waiting' do, who wait for the one that runs, or
** are it: what is raised in those meanwhile, also because a coroutine that
** raises is in no protected call, comes back as the answer, a status with
** the value at the top of the main coroutine's stack; each of them does
** again what it did. Needs room for two values in each. No function is added
** to their stacks. Of more than LUA_MOSTCONTAINED the last are left out: more
** than LUAI_MAXCCALLS wait only where C resumes one from none (NULL).
** What closes one of them gets out, to who has resumed it.
*/
typedef void (*lua_Contained) (lua_State *mainth, void *ud);

#define LUA_MOSTCONTAINED	200

LUA_API int (lua_contain) (lua_State *L, lua_State *const *waiting, int n,
                           lua_Contained f, void *ud);

/*
** The handler of 'L'. An error that was caught by a coroutine which
** 'lua_contain' was not told of has left the main one with a handler that is
** gone: the one that it had before is put back.
*/
struct lua_Handler {
  void *jump;
  ptrdiff_t function;
};

LUA_API void (lua_gethandler) (lua_State *L, struct lua_Handler *h);
LUA_API void (lua_sethandler) (lua_State *L, const struct lua_Handler *h);

/*
** In the mask of 'lua_sethook': the hook is called in hooks and finalizers
** too. For one that ends what they do.
*/
#define LUA_MASKINSIDE	0x80

/*
** Stops the collector as it is stopped in a finalizer, where 'lua_gc' does
** nothing, or lets it go on; when it is due stays as it is. Whether it was
** stopped so before.
*/
LUA_API int (lua_holdgc) (lua_State *L, int hold);

LUAI_FUNC void luaG_raised (lua_State *L);

#endif
