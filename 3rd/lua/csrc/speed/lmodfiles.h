/*
** lmodfiles.h
** Where the modules of a module snapshot (lmodsnapshot.h) are found.
*/

#ifndef lmodfiles_h
#define lmodfiles_h

#include <stddef.h>

#include "llimits.h"

/* modules at most */
#define MAXINNER	12

/* longest name of a file that is looked for */
#define MAXPATH	1024

typedef struct ModuleNames {
  const char *const *name;
  int n;
  size_t folder;  /* so many first characters, up to a dot, are one */
} ModuleNames;

typedef struct ModuleFiles {
  char name[MAXINNER][MAXPATH];  /* "" when inside of the program */
} ModuleFiles;

/* names up to a null pointer; 0 when there are none or too many */
LUAI_FUNC int luaE_modulenames (ModuleNames *names,
                                const char *const *list);

/*
** The files of modules that stand where the name of the file of another one,
** 'outername', says; 0 when it does not say or they are too long.
*/
LUAI_FUNC int luaE_modulesbeside (const ModuleNames *names,
                     const char *outername, const char *filename,
                     ModuleFiles *files);

/* would 'require' with that 'package.path' find the modules there? */
LUAI_FUNC int luaE_modulesfound (const ModuleNames *names, const char *path,
                                 const ModuleFiles *files);

#endif
