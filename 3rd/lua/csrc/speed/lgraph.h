/*
** lgraph.h
** Copies of objects of one state in another.
**
** A graph is a list of objects of a state that does not run any more, with
** all references between them. A reference is known by the place that it
** stands in. The places are found once; to copy the graph, blocks are copied
** as they are, then the references between them are set. Strings and
** prototypes are not copied: they are shared, or become so.
*/

#ifndef lgraph_h
#define lgraph_h

#include "lobject.h"
#include "lstate.h"

/* objects at most: a copy keeps their addresses on the C stack */
#define MAXOBJECTS	1024


/* the pointer at 'offset' bytes in a part of object 'from' leads to 'to' */
typedef struct Link {
  int offset;  /* array values stand before the address of the array */
  unsigned short from;
  unsigned short to;  /* object, or number of a value of the receiver's */
  lu_byte part;
} Link;


/* a value that stays behind: the receiver has one of its own for it */
typedef struct Outside {
  TValue value;
  TString *table;  /* module or global that has it in 'field'; or NULL */
  TString *field;  /* NULL for the module itself */
  int ismodule;
  int number;  /* -1 while nothing refers to it */
} Outside;


typedef struct Graph {
  const GCObject **objects;
  Link *links;
  Outside *outside;  /* values that are not part of the graph */
  unsigned nobjects, sizeobjects;
  unsigned nlinks, sizelinks;
  unsigned noutside, sizeoutside;
  unsigned nused;  /* of the values outside */
  int ownstrings;  /* may its long strings be shared now? */
  int failed;  /* no memory, or something that cannot be copied */
} Graph;


/* number of an object; it is added if need be */
LUAI_FUNC unsigned luaE_graphadd (Graph *gr, const GCObject *o);

/* adds a value outside; found by its value from now on */
LUAI_FUNC Outside *luaE_graphoutside (Graph *gr, const TValue *value);

/* finds all that the objects refer to; a thread must be 'thread' */
LUAI_FUNC void luaE_graphwalk (Graph *gr, const lua_State *thread);

/*
** After the walk: upvalues that nothing ever assigns to and that have the
** same value become one, as if the functions stood in one chunk.
*/
LUAI_FUNC void luaE_graphmerge (Graph *gr);

/* frees the lists, not the objects */
LUAI_FUNC void luaE_graphfree (Graph *gr);

/*
** Makes copies of the objects from 'first' on. Until they are linked they
** refer to objects of the other state, so no collector may look at them.
*/
LUAI_FUNC void luaE_graphcopy (lua_State *L, const Graph *gr, unsigned first,
                               GCObject **copies);

/* sets the references between the copies, and to 'values' from outside */
LUAI_FUNC void luaE_graphlink (const Graph *gr, GCObject **copies,
                               const StackValue *values);

#endif
