/*
** lhost.c
** What the program around Lua adds to every state ('lhost.h').
*/

#define lhost_c
#define LUA_CORE

#include "lprefix.h"

#include <errno.h>
#include <string.h>

#include "lua.h"
#include "lauxlib.h"
#include "lualib.h"
#include "lhost.h"
#include "lstate.h"

#if defined(LUA_USE_POSIX)
#include <unistd.h>
#endif


/* longest text of the program's: a few paths (PATH_MAX) and words */
#define MAXTEXT		(4 * 4096)

static const lua_Host *host = NULL;  /* atomic: set once */


static const lua_Host *gethost (void) {
  return __atomic_load_n(&host, __ATOMIC_ACQUIRE);
}


LUA_API void lua_sethost (const lua_Host *newhost) {
  __atomic_store_n(&host, newhost, __ATOMIC_RELEASE);
}


void luaE_opened (lua_State *L) {
  const lua_Host *h = gethost();
  if (h != NULL && h->opened != NULL)
    h->opened(L);
}


int luaE_refuses (lua_State *L, const char *path) {
  const lua_Host *h = gethost();
  char text[MAXTEXT];
  if (h == NULL || h->refuses == NULL || !h->refuses(path, text, MAXTEXT))
    return 0;
  lua_pushstring(L, text);
  return 1;
}


void luaE_explain (lua_State *L, const char *path, const char *reason) {
  const lua_Host *h = gethost();
  char text[MAXTEXT];
  text[0] = '\0';
  lua_pushstring(L, reason);  /* before anything else can fail to open */
  if (h != NULL && h->explain != NULL)
    h->explain(path, text, MAXTEXT);
  if (text[0] != '\0') {
    lua_pushfstring(L, "\n\t%s", text);
    lua_concat(L, 2);
  }
}


void luaE_wrongversion (lua_State *L, lua_Number number,
                        const void *address) {
  const lua_Host *h = gethost();
  char text[MAXTEXT];
  text[0] = '\0';
  if (h != NULL && h->foreign != NULL)
    h->foreign(address, (double)number, text, MAXTEXT);
  luaL_error(L, "version mismatch: app. needs %f, Lua core provides %f%s%s",
                (LUAI_UACNUMBER)number, (LUAI_UACNUMBER)lua_version(L),
                (text[0] != '\0') ? "\n\t" : "", text);
}


int luaE_insteadof (lua_State *L, const char *filename) {
  const lua_Host *h = gethost();
  /* what runs functions loads files in the name of one of them */
  int begins = (L->ci == &L->base_ci);
  if (h == NULL || h->instead == NULL || !h->instead(L, filename, begins))
    return LUA_ERRFILE;
  lua_remove(L, -2);  /* the error */
  return LUA_OK;
}


/* longest name of a file that is shown */
#define MAXNAME		1024

/* a file that this search has met and may not read; "" if none */
static __thread char denied[MAXNAME];


void luaE_search (void) {
  denied[0] = '\0';
}


static int saysabsent (int problem) {
  switch (problem) {
    case ENOENT: case ENOTDIR: case ENAMETOOLONG: case ELOOP: case ENXIO:
      return 1;
    default:
      return 0;
  }
}


int luaE_isthere (const char *filename, int problem) {
  if (saysabsent(problem))
    return 0;
  if (problem == EACCES || problem == EPERM) {
    if (denied[0] == '\0')
      strncat(denied, filename, MAXNAME - 1);
    return 0;  /* for Lua, it is not there: others may be */
  }
#if defined(LUA_USE_POSIX)
  /* needs no descriptor */
  if (access(filename, F_OK) != 0 && saysabsent(errno))
    return 0;
#endif
  return 1;  /* whoever loads it is told why it cannot be opened */
}


int luaE_inside (lua_State *L) {
  const lua_Host *h = gethost();
  int issame;
  if (h == NULL || h->inside == NULL || denied[0] != '\0') return 0;
  /* modules are looked for on 'package.path'; other paths are of others */
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, LUA_LOADLIBNAME) != LUA_TTABLE) return 0;
  lua_getfield(L, -1, "path");
  issame = lua_rawequal(L, -1, 2);
  lua_pop(L, 3);
  return issame && h->inside(L, lua_tostring(L, 1), lua_tostring(L, 2));
}


int luaE_module (lua_State *L, const char *name) {
  const lua_Host *h = gethost();
  if (h == NULL || h->module == NULL || !h->module(L, name)) return 0;
  if (denied[0] != '\0')
    luaL_error(L, "module '%s' is not taken from inside of the executable: "
                  "there may be a file '%s', which may not be read", name, denied);
  return 1;
}
