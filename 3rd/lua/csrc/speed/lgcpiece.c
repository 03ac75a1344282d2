/*
** lgcpiece.c
** A whole collection in short pieces, between which the program may run.
** See docs/pieces.md
*/

#define lgcpiece_c
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lgc.h"
#include "llimits.h"
#include "lobject.h"
#include "lstate.h"

/* results, which src/lib.rs describes and snlua's pieces.rs compares with */
#define REFUSED	0	/* the collector is stopped, or inside of a finalizer */
#define MORE	1
#define DONE	2

/* phases of the caller's number */
#define BEGIN	0
#define BEFORE	1	/* a cycle that had begun before is being ended */
#define WHOLE	2	/* a cycle from its begin */

/* work units of a piece: slots that are marked, objects that are swept */
#define UNITS	4096

/*
** A VM with less than this goes back to the generational mode at once. That
** looks at every object in one go, as one pause.
*/
#define SMALL	(4 * 1024 * 1024)


/*
** The end of a cycle. A large VM in generational mode is left as after a
** major collection of its own, from where it goes back to minor ones by
** itself; its next cycle begins after the usual growth.
*/
static void settle (lua_State *L, global_State *g) {
  if (g->gckind != KGC_GENMAJOR) return;
  if (gettotalbytes(g) < SMALL)
    luaC_changemode(L, KGC_GENMINOR);
  else
    luaE_setdebt(g, applygcparam(g, MINORMUL, gettotalbytes(g)));
}


/*
** A step of the incremental collector, as long as a piece is. A VM in
** generational mode makes it as one that collects its old objects, by the
** rules of an incremental one, as luaC_fullgc does.
*/
static void step (lua_State *L, global_State *g) {
  lu_byte kind = g->gckind;
  lu_byte size = g->gcparams[LUA_GCPSTEPSIZE];
  lu_byte mul = g->gcparams[LUA_GCPSTEPMUL];
  g->gckind = KGC_INC;
  g->gcparams[LUA_GCPSTEPSIZE] = luaO_codeparam(UNITS * sizeof(void *));
  g->gcparams[LUA_GCPSTEPMUL] = luaO_codeparam(100);
  luaC_step(L);
  g->gcparams[LUA_GCPSTEPSIZE] = size;
  g->gcparams[LUA_GCPSTEPMUL] = mul;
  g->gckind = kind;
}


LUA_API int lua_gcpiece (lua_State *L, int *phase) {
  global_State *g = G(L);
  if (!gcrunning(g)) return REFUSED;
  if (g->gckind == KGC_GENMINOR) {
    if (*phase != BEGIN) return DONE;  /* the VM has come here by itself */
    luaC_changemode(L, KGC_INC);
    g->gckind = KGC_GENMAJOR;
  }
  if (*phase == BEGIN)
    *phase = (g->gcstate == GCSpause) ? WHOLE : BEFORE;
  step(L, g);
  if (g->gcstate != GCSpause) return MORE;
  if (*phase == BEFORE) {
    *phase = WHOLE;
    return MORE;
  }
  settle(L, g);
  return DONE;
}


/* how many bytes the VM may have before the collector does something */
LUA_API size_t lua_gcnext (lua_State *L) {
  return cast_sizet(G(L)->GCtotalbytes);
}
