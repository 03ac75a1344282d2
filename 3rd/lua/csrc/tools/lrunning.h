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
  lua_State *followed;  /* one whose end matters to the program, or NULL */
  int still;  /* nothing may wait: no coroutine is told that it can yield */
};


/* the words of a state whose program has none */
extern struct lua_Running luaE_norunning;

/*
** When the coroutine in 'now' is freed, the main one takes its place. (A
** coroutine that the program did not resume may have resumed the one there,
** and dropped it.)
**
** When an error is caught, the words are again what they were when what
** failed was called. (The error may have gone over the ends of resumes: it
** leaves a coroutine that nobody has resumed, or that was called while it
** waited, and goes to the handler of the main one, or of that one.)
**
** When the coroutine in 'followed' is freed, NULL takes its place.
**
** While 'still' is not 0, 'lua_isyieldable' says no. What yields to its own
** caller, and does not ask, yields as ever.
**
** Where the main coroutine has no handler for an error that leaves a coroutine
** which nobody has resumed, that of the one in 'now' gets it. Without words
** such an error ends the process.
*/
LUA_API void (lua_setrunning) (lua_State *L, struct lua_Running *words);


/* the second case */
#define luaE_ranback(g,words) \
  { if ((g)->running != &luaE_norunning) { \
      (g)->running->now = (words).now; \
      (g)->running->waiting = (words).waiting; } }

/* the first, and the third */
#define luaE_runsnomore(g,L1) \
  { if (l_unlikely((g)->running->now == (L1))) \
      (g)->running->now = mainthread(g); \
    if (l_unlikely((g)->running->followed == (L1))) \
      (g)->running->followed = NULL; }

#endif
