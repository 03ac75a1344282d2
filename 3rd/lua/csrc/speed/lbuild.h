/*
** lbuild.h
** New tables filled where they are, for deserialisers: a value that needs no
** memory goes from the caller's registers into its field, and the text of a
** key straight into the table.
*/

#ifndef lbuild_h
#define lbuild_h

#include "lua.h"

/*
** The kinds of 'lview.h' that have no memory of their own, and the bits of
** their values: of an integer itself, of a float the same bytes, of nil,
** false and true anything.
*/
#define lua_isbuildkind(k)	((k) == LUA_TNIL || (k) == LUA_VIEWINTEGER || \
	(k) == LUA_VIEWFLOAT || (k) == LUA_VIEWFALSE || (k) == LUA_VIEWTRUE)

/* Pushes such a value. */
LUA_API void (lua_buildvalue) (lua_State *L, int kind, lua_Integer bits);

/* Pushes a string, as 'lua_pushlstring'. */
LUA_API void (lua_buildstring) (lua_State *L, const char *text, size_t len);

/*
** As 'lua_createtable'; the result is the pushed table for the functions
** below. Until it is seen by anything else, only they and the functions of
** Lua's interface that set without metamethods may change it.
*/
LUA_API void *(lua_buildtable) (lua_State *L, int narr, int nrec);

/*
** t[index] = the value with 'kind' and 'bits'. Returns 0, and has done
** nothing, when 'index' is outside of the table's array.
*/
LUA_API int (lua_buildindex) (void *table, lua_Integer index, int kind,
                              lua_Integer bits);

/*
** t[index] = the value on the top, and pops it; t is the table below it.
*/
LUA_API void (lua_buildindextop) (lua_State *L, lua_Integer index);

/*
** t[text] = the value with 'kind' and 'bits'; t is the table on the top.
** The text is a short string, of LUAI_MAXSHORTLEN (40) bytes at most. It
** needs a free place on the stack.
*/
LUA_API void (lua_buildfield) (lua_State *L, const char *text, size_t len,
                               int kind, lua_Integer bits);

/*
** t[text] = the value on the top, and pops it; t is the table below it. It
** needs a free place on the stack.
*/
LUA_API void (lua_buildfieldtop) (lua_State *L, const char *text, size_t len);

#endif
