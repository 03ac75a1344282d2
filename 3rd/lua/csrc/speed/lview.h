/*
** lview.h
** Values read where they are, for serialisers: no copy on the stack, one
** call for a value instead of three.
*/

#ifndef lview_h
#define lview_h

#include "lua.h"

/* what a view shows; other values have the type that 'lua_type' tells */
#define LUA_VIEWINTEGER		LUA_TNUMBER
#define LUA_VIEWFLOAT		(LUA_TNUMBER | 16)
#define LUA_VIEWFALSE		LUA_TBOOLEAN
#define LUA_VIEWTRUE		(LUA_TBOOLEAN | 16)

/* A value. What it points to lives as long as the value that was viewed. */
typedef struct lua_View {
  int kind;
  size_t len;		/* of a string */
  union {
    lua_Integer i;
    lua_Number n;
    void *p;		/* light userdata */
    const char *s;	/* string */
    const void *t;	/* table, as 'lua_topointer' gives it */
  } u;
} lua_View;

/* The argument 'arg' of the running C function, 1 .. lua_gettop. */
LUA_API void (lua_view) (lua_State *L, int arg, lua_View *view);

/*
** The arguments of a message, a light userdata and its size. Returns 0, and
** has set nothing, when the first two arguments are anything else.
*/
LUA_API int (lua_viewblock) (lua_State *L, void **block, lua_Integer *size);

/*
** Begins to read a viewed table, which stays on the stack until it is
** popped, and so alive whatever happens to what it was viewed in. It needs
** a free place on the stack. Sets 'len' to its border, as 'lua_rawlen', and
** 'pos' to where 'lua_viewnext' leaves out those of 1 .. len that stand in
** the array. Returns whether the table has a metatable.
*/
LUA_API int (lua_viewtable) (lua_State *L, const void *table, size_t *len,
                             unsigned int *pos);

/* t[index] without metamethods; 'index' is at least 1. */
LUA_API void (lua_viewindex) (const void *table, lua_Integer index,
                              lua_View *value);

/*
** The pair at or after '*pos', in the order of 'lua_next', and moves '*pos'
** behind it; 0 when there is none. All pairs are those from 0. Any '*pos' is
** safe, also when the table has changed in between.
*/
LUA_API int (lua_viewnext) (const void *table, unsigned int *pos,
                            lua_View *key, lua_View *value);

#endif
