/*
** Small blocks of a VM that has a heap of its own are taken and put back
** without a call of its allocator, as long as that needs one list only.
**
** The program's allocator ('frealloc') keeps the lists; whatever they
** cannot do (an empty list, a page of which the first or the last cell
** comes back, a limit) is still asked of it. Both see the same blocks, so
** that C code may go on to call the allocator of 'lua_getallocf'.
*/

#ifndef lcells_h
#define lcells_h

#include <stddef.h>

#include "lua.h"


#define LCELL_LARGEST	496	/* bytes of the largest cell */
#define LCELL_CLASSES	26
#define LCELL_BLOCKS	2
#define LCELL_BLOCKSIZE	(14 * 1024)
#define LCELL_PAGESIZE	4096


typedef struct lua_Cell {
  struct lua_Cell *next;
} lua_Cell;


/* what a page begins with; it stands at a multiple of LCELL_PAGESIZE */
typedef struct lua_CellPage {
  lua_Cell *free;  /* its free cells */
  unsigned short count;  /* how many they are */
  unsigned short capacity;  /* cells in all; 0: of many sizes, no 'free' */
} lua_CellPage;


typedef struct lua_Cells {
  size_t used;  /* bytes in use; other threads may read it */
  size_t unwatched;  /* with more than that, the allocator is asked */
  size_t largest;  /* LCELL_LARGEST */
  char *blocks[LCELL_BLOCKS];  /* where cells have no page, or NULL */
  lua_Cell *free[LCELL_CLASSES];
} lua_Cells;


/* 'used' is written by the thread that runs the VM alone */
#define luaM_setused(c,n)  __atomic_store_n(&(c)->used, n, __ATOMIC_RELAXED)

/* 'unwatched' may be written by any thread, which wants the allocator to be asked */
#define luaM_unwatched(c)  __atomic_load_n(&(c)->unwatched, __ATOMIC_RELAXED)

/* whether an address is in one of the blocks (nothing is that near to 0) */
#define luaM_inblock(c,i,p) \
	((size_t)(p) - (size_t)(c)->blocks[i] < LCELL_BLOCKSIZE)


/* never part of its caller, which then has no registers to save for it */
#define luaM_separate	__attribute__((noinline))


/* the cells of a VM whose allocator has none */
extern lua_Cells luaM_nocells;

/* class of a size, by the number of its words */
LUA_API const unsigned char lua_cellclass[LCELL_LARGEST / 8 + 1];


/*
** From now on 'L' uses 'cells', which belong to its allocator. Another
** allocator ('lua_setallocf') ends that.
*/
LUA_API void (lua_setcells) (lua_State *L, lua_Cells *cells);

#endif
