/*
** What a sampling profiler asks of a state beside the functions of lua.h.
*/

#define LUA_CORE

#include "lprefix.h"

#include "ldebug.h"
#include "ldo.h"
#include "lrunning.h"
#include "lstate.h"


struct lua_Running luaE_norunning = {NULL, NULL, NULL, 0};


LUA_API void lua_setrunning (lua_State *L, struct lua_Running *words) {
  G(L)->running = words;
}


/*
** Whether 'L' is in a C function. The thread that runs 'L' may call it
** in the handler of a signal: it reads what 'lua_sethook' reads there.
*/
int skynet_lua_isinc (const lua_State *L) {
  return (L->ci->callstatus & CIST_C) != 0;
}


/*
** For a count hook, in Lua code: the name of what the instruction before
** the next one has called, as its caller knows it; NULL if that was no
** call. The call is over, so a call information is made up of whose
** caller 'lua_getinfo' is told that it is at that instruction. The text
** stays as long as the running function does.
*/
const char *skynet_lua_called (lua_State *L) {
  CallInfo *ci = L->ci;
  CallInfo caller, callee;
  lua_Debug ar;
  if (!isLua(ci) || ci->u.l.savedpc - ci_func(ci)->p->code < 2)
    return NULL;
  caller = *ci;
  caller.callstatus &= ~(CIST_HOOKED | CIST_FIN);
  caller.u.l.savedpc--;
  callee = *ci;
  callee.callstatus = CIST_C;
  callee.previous = &caller;
  ar.i_ci = &callee;
  ar.name = NULL;
  lua_getinfo(L, "n", &ar);
  return ar.name;
}


/*
** Within the allocator. While 'luaD_reallocstack' lets a stack be moved,
** the call infos have offsets in the place of addresses; that of the first
** one tells, because it is the bottom of the stack. Until 'unpin', and
** before the block is moved, they have addresses.
*/
int skynet_lua_pinstack (lua_State *L) {
  CallInfo *ci;
  if (L->base_ci.func.p == L->stack.p)
    return 0;
  for (ci = L->ci; ci != NULL; ci = ci->previous)
    ci->func.p = restorestack(L, ci->func.offset);
  return 1;
}


void skynet_lua_unpinstack (lua_State *L) {
  CallInfo *ci;
  for (ci = L->ci; ci != NULL; ci = ci->previous)
    ci->func.offset = savestack(L, ci->func.p);
}
