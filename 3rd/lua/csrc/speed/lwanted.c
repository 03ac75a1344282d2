/*
** lwanted.c
** See lwanted.h.
*/

#define lwanted_c
#define LUA_CORE

#include "lprefix.h"

#include "lwanted.h"

#include "lstate.h"


LUA_API int lua_wanted (lua_State *L, int level) {
  const CallInfo *ci = L->ci;
  for (; level > 0 && ci != &L->base_ci; level--)
    ci = ci->previous;
  if (ci == &L->base_ci)
    return LUA_MULTRET;
  return get_nresults(ci->callstatus);
}
