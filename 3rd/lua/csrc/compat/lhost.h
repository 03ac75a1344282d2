/*
** lhost.h
** What the program around Lua adds to every state, whoever makes it.
**
** C services make states of their own with nothing but the official
** interface; so what a state of this program has beyond that of others is
** put there when its libraries are opened, and asked for where files are.
*/

#ifndef lhost_h
#define lhost_h

#include "lua.h"

#include "llimits.h"

typedef struct lua_Host {
  /* the library 'package' and others have been opened; may raise errors */
  void (*opened) (lua_State *L);
  /*
  ** 1 with a reason in 'text' when the file of a C module must not be opened
  */
  int (*refuses) (const char *path, char *text, size_t size);
  /* the file could not be opened: what is to be said besides, or "" */
  void (*explain) (const char *path, char *text, size_t size);
  /*
  ** what is to be said of code that asked for Lua 'number', called from
  ** 'address'; or ""
  */
  void (*foreign) (const void *address, double number, char *text,
                   size_t size);
  /*
  ** 1 with a function at the top for a file that cannot be opened. 'begins':
  ** no function asked for it, but the program itself, to begin with
  */
  int (*instead) (lua_State *L, const char *filename, int begins);
  /*
  ** 1 with a file name for 'instead' at the top for a module that no file of
  ** 'package.path' has
  */
  int (*inside) (lua_State *L, const char *module, const char *path);
  /*
  ** 1 with a loader and its value at the top for such a module
  */
  int (*module) (lua_State *L, const char *module);
} lua_Host;

/*
** 'host' must stay. Called once, before other threads use Lua; members may
** be NULL.
*/
LUA_API void lua_sethost (const lua_Host *host);

/*
** A file of a path could not be opened for reading: is it there
** nevertheless? With too many open files and the like it may be, and then
** nothing else must be taken in its place.
*/
LUAI_FUNC int luaE_isthere (const char *filename, int problem);
/*
** a search begins: what comes from inside of the program does not take the
** place of a file that the search meets and may not read
*/
LUAI_FUNC void luaE_search (void);
LUAI_FUNC void luaE_opened (lua_State *L);
/* pushes the reason when it returns 1 */
LUAI_FUNC int luaE_refuses (lua_State *L, const char *path);
/* pushes the reason with what there is to say besides */
LUAI_FUNC void luaE_explain (lua_State *L, const char *path,
                             const char *reason);
LUAI_FUNC void luaE_wrongversion (lua_State *L, lua_Number number,
                                  const void *address);
/* with the error of a load at the top; a Lua status */
LUAI_FUNC int luaE_insteadof (lua_State *L, const char *filename);
/* in 'package.searchpath', when nothing is found: 1 with a name at the top */
LUAI_FUNC int luaE_inside (lua_State *L);
/* where 'require' finds no file: 1 with a loader and its value at the top */
LUAI_FUNC int luaE_module (lua_State *L, const char *name);

#endif
