/*
** Sizes of cells, and how a VM comes to them. See lcells.h.
*/

#define lcells_c
#define LUA_CORE

#include "lprefix.h"

#include "lcells.h"
#include "lstate.h"


const unsigned char lua_cellclass[LCELL_LARGEST / 8 + 1] = {
  0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,  /* to 128 */
  16, 16, 17, 17, 17, 18, 18, 18, 18, 19, 19, 19,  /* 144, 168, 200, 224 */
  20, 20, 20, 21, 21, 21, 21, 21,  /* 248, 288 */
  22, 22, 22, 22, 22, 22, 23, 23, 23, 23, 23, 23, 23,  /* 336, 392 */
  24, 24, 24, 24, 24, 24, 24, 25, 25, 25, 25, 25, 25  /* 448, 496 */
};


/* of a VM whose allocator has none */
lua_Cells luaM_nocells = {0};


LUA_API void lua_setcells (lua_State *L, lua_Cells *cells) {
  G(L)->cells = cells;
}
