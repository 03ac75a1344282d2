/*
** Which coroutine runs: a word of the program's, which it writes for each
** 'lua_resume' that it knows of. What interrupts a thread finds there whose
** stack to look at; so it must not have a coroutine that is gone.
*/

#ifndef lrunning_h
#define lrunning_h

#include "lua.h"


/* the word of a state whose program has none */
extern lua_State *luaE_norunning;

/*
** When the coroutine in 'word' is freed, the main one takes its place. (A
** coroutine that the program did not resume may have resumed the one there,
** and dropped it.)
*/
LUA_API void (lua_setrunning) (lua_State *L, lua_State **word);

#endif
