/*
** Which coroutine runs: words of the program's, which it writes for each
** 'lua_resume' that it knows of. What interrupts a thread finds there whose
** stack to look at; so they must not lead to what is gone.
*/

#ifndef lrunning_h
#define lrunning_h

#include "lua.h"


struct lua_Running {
  lua_State *now;  /* the coroutine that runs */
  const void *waiting;  /* what resumes it, on the stack of the thread */
};


/* the words of a state whose program has none */
extern struct lua_Running luaE_norunning;

/*
** When the coroutine in 'now' is freed, the main one takes its place. (A
** coroutine that the program did not resume may have resumed the one there,
** and dropped it.)
**
** When an error leaves a coroutine that nobody has resumed (a C module has
** called a function in a new one), Lua goes on in the main coroutine, over
** all that waits between: then that one runs, and nothing waits.
*/
LUA_API void (lua_setrunning) (lua_State *L, struct lua_Running *words);


/* the second case */
#define luaE_onlymain(g,m) \
  ((g)->running->now = (m), (g)->running->waiting = NULL)

#endif
