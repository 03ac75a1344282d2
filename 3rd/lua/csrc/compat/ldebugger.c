/*
** ldebugger.c
** What a debugger needs beyond the official interface ('ldebugger.h').
*/

#include "lprefix.h"
#define LUA_CORE
#include "ldebugger.h"

#include "lstate.h"
#include "lobject.h"
#include "ldebug.h"


static lua_ErrorWatcher watcher = NULL;  /* atomic */


LUA_API void lua_watcherrors (lua_ErrorWatcher newwatcher) {
  __atomic_store_n(&watcher, newwatcher, __ATOMIC_RELEASE);
}


void luaG_raised (lua_State *L) {
  lua_ErrorWatcher w = __atomic_load_n(&watcher, __ATOMIC_ACQUIRE);
  if (l_unlikely(w != NULL))
    w(L);
}


static void linesof (const Proto *p, lua_EachLine each, void *ud) {
  int i;
  int last = -1;
  if (p->lineinfo != NULL) {
    /* the first instruction of a vararg function does not count */
    for (i = isvararg(p) ? 1 : 0; i < p->sizelineinfo; i++) {
      int line = luaG_getfuncline(p, i);
      if (line != last)
        each(ud, last = line);
    }
  }
  for (i = 0; i < p->sizep; i++)
    linesof(p->p[i], each, ud);
}


LUA_API void lua_activelines (lua_State *L, int idx, lua_EachLine each,
                              void *ud) {
  const LClosure *f = (const LClosure *)lua_topointer(L, idx);
  if (f != NULL && lua_isfunction(L, idx) && !lua_iscfunction(L, idx))
    linesof(f->p, each, ud);
}


LUA_API int lua_getcaller (lua_State *L, lua_Debug *ar) {
  CallInfo *caller = ar->i_ci->previous;
  if (caller == NULL || caller == &L->base_ci)
    return 0;
  ar->i_ci = caller;
  return 1;
}
