/*
** harness.h
** What the tests of the patched Lua share.
*/

#ifndef harness_h
#define harness_h

#include "lua.h"

#include <stddef.h>

#define NTHREADS 4

/* of scripts */
extern const char *dir;

/* ends the program */
void fail (const char *what, const char *why);

void run (lua_State *L, const char *what, const char *code);

/* a state with all libraries, 'cache', 'dir' and 'collector' */
lua_State *openstate (const char *collector);

/* memory for so many blocks more; negative is no limit */
void *scarce (void *ud, void *block, size_t old, size_t size);

void test_strings (void);
void test_vm_snapshot (void);
void test_module_snapshot (void);
void test_collisions (void);
void test_pieces (void);
void test_numbers (void);
void test_tables (void);
void test_concat (void);
void test_string_table (void);
void test_yields (void);
void test_together (void);

#endif
