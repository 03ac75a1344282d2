/*
** How an error, or a coroutine that yields, leaves what runs: see 'LUAI_THROW'
** in ldo.c. The compiler's own jump keeps three words, where that of the C
** library keeps all registers and encrypts two of them: whoever is jumped to
** takes its registers from its frame.
**
** The C library's is used where a sanitizer has to know of each jump, and
** with other compilers and processors: there nobody has tried it.
*/

#ifndef ljump_h
#define ljump_h

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

typedef void *luai_jump[5];

/* a function that is jumped to must not be part of one that jumps */
#define luai_apart	__attribute__((noinline))

#define LUAI_THROW(L,c)		__builtin_longjmp((c)->b, 1)
#define LUAI_TRY(L,c,f,ud)	if (__builtin_setjmp((c)->b) == 0) ((f)(L, ud))

#else

#include <setjmp.h>

typedef jmp_buf luai_jump;

#define luai_apart	/* empty */

#endif

#endif
