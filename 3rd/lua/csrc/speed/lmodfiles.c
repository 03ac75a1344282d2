/*
** lmodfiles.c
** Where the modules of a module snapshot are found; see 'lmodfiles.h'.
*/

#define lmodfiles_c
#define LUA_CORE

#include "lprefix.h"

#include <string.h>
#include <unistd.h>

#include "lua.h"

#include "lmodfiles.h"


/* length of the part before the last dot that is the same in all names */
static size_t commonfolder (const char *const *names, int n) {
  const char *dot = strrchr(names[0], '.');
  size_t len = (dot == NULL) ? 0 : (size_t)(dot - names[0]);
  int i;
  for (i = 1; i < n; i++) {
    if (strncmp(names[i], names[0], len) != 0 || names[i][len] != '.')
      return 0;
  }
  return len;
}


int luaE_modulenames (ModuleNames *names, const char *const *list) {
  int n = 0;
  while (list[n] != NULL) n++;
  if (n == 0 || n > MAXINNER) return 0;
  names->name = list;
  names->n = n;
  names->folder = commonfolder(list, n);
  return 1;
}


int luaE_modulesbeside (const ModuleNames *names, const char *outername,
                        const char *filename, ModuleFiles *files) {
  static const char ending[] = ".lua";
  size_t len = strlen(filename);
  size_t outer = strlen(outername);
  size_t dir;
  int i;
  if (len < outer + sizeof(ending) - 1) return 0;
  dir = len - outer - (sizeof(ending) - 1);
  if (strncmp(filename + dir, outername, outer) != 0 ||
      strcmp(filename + dir + outer, ending) != 0)
    return 0;
  for (i = 0; i < names->n; i++) {
    char *file = files->name[i];
    size_t inner = strlen(names->name[i]);
    char *p;
    if (dir + inner + sizeof(ending) > MAXPATH) return 0;
    memcpy(file, filename, dir);
    memcpy(file + dir, names->name[i], inner);
    memcpy(file + dir + inner, ending, sizeof(ending));
    for (p = file + dir; p < file + dir + inner; p++)
      if (*p == '.') *p = '/';
  }
  return 1;
}


/*
** Fills the first template of 'path' with a module's name; with less than
** all of its 'len' characters, up to the first mark. Returns 0 when the name
** is too long.
*/
static int fill (const char *path, const char *module, size_t len,
                 char *name) {
  size_t n = 0;
  size_t i;
  for (; *path != '\0' && *path != *LUA_PATH_SEP; path++) {
    int mark = (*path == *LUA_PATH_MARK);
    if (n + (mark ? len : 1) >= MAXPATH) return 0;
    if (!mark)
      name[n++] = *path;
    else {
      for (i = 0; i < len; i++)
        name[n++] = (module[i] == '.') ? '/' : module[i];
      if (module[len] != '\0') break;
    }
  }
  name[n] = '\0';
  return 1;
}


/*
** May the first template of 'path' lead to a file of a module? One look at
** the folder that all of them would be in spares most states the rest.
*/
static int hasfolder (const ModuleNames *names, const char *path) {
  char name[MAXPATH];
  if (names->folder == 0 || !fill(path, names->name[0], names->folder, name))
    return 1;
  return access(name, F_OK) == 0;
}


static const char *behindtemplate (const char *path) {
  const char *end = strchr(path, *LUA_PATH_SEP);
  return (end == NULL) ? path + strlen(path) : end + 1;
}


int luaE_modulesfound (const ModuleNames *names, const char *path,
                       const ModuleFiles *files) {
  int found[MAXINNER] = {0};
  int infile = (files->name[0][0] != '\0');
  int i;
  for (; *path != '\0'; path = behindtemplate(path)) {
    if (!hasfolder(names, path)) continue;
    for (i = 0; i < names->n; i++) {
      char name[MAXPATH];
      if (found[i]) continue;
      if (!fill(path, names->name[i], strlen(names->name[i]), name)) return 0;
      if (infile && strcmp(name, files->name[i]) == 0)
        found[i] = 1;
      else if (access(name, R_OK) == 0)
        return 0;
    }
  }
  for (i = 0; infile && i < names->n; i++) {
    if (!found[i]) return 0;
  }
  return 1;
}
