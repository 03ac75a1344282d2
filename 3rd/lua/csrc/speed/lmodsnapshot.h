/*
** lmodsnapshot.h
** Modules that a state takes as they are after their first run.
**
** The program names an outer module and inner ones that it needs, and
** promises that to run them has no effect but the values that they return,
** tables or, of inner ones, nothing, what is in these, and 'package.loaded'.
** One hidden state runs them, once for all that have the same code; the
** others get copies of what came out of it.
**
** What the modules found in the globals and in other modules is looked up
** anew in the receiving state, as if they had run there. Whatever else could
** make a difference lets them run: other files, a hook, a 'preload'.
*/

#ifndef lmodsnapshot_h
#define lmodsnapshot_h

#include "lobject.h"

typedef struct ModuleSnapshot ModuleSnapshot;

/* place for the snapshot of some code; begins with zeros */
typedef struct SnapshotSlot {
  int state;  /* atomic */
  /* set when 'state' says so; NULL if there can be none */
  ModuleSnapshot *snapshot;
} SnapshotSlot;

/* is that the outer module? */
LUAI_FUNC int luaE_hassnapshot (const char *name);

/*
** The outer module's function is at the top; another one that does the same
** may take its place. 'filename' is where it comes from; when it is NULL,
** the functions of all modules come with the call.
*/
LUAI_FUNC void luaE_applysnapshot (lua_State *L, SnapshotSlot *slot,
                  const char *filename, const void *outer,
                  const void *const *inner);

/* the state that has run the modules, or NULL; it runs nothing any more */
LUAI_FUNC const lua_State *luaE_snapshotstate (const SnapshotSlot *slot);

/* before the code goes away */
LUAI_FUNC void luaE_closesnapshot (SnapshotSlot *slot);

/* the same for code in the cache */
LUAI_FUNC void luaE_snapshotfor (lua_State *L, const char *name,
                              const char *filename);

#endif
