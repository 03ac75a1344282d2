/* Sizes of the locks when they are pthread's: USE_PTHREAD_LOCK changes them, so it has to be what everybody was built with. */
#define USE_PTHREAD_LOCK 1
#include "spinlock.h"
#include "rwlock.h"

#ifdef __cplusplus
#define CHECK(what, text) static_assert(what, text)
#else
#define CHECK(what, text) _Static_assert(what, text)
#endif

CHECK(sizeof(struct spinlock) == 40, "size of struct spinlock");
CHECK(sizeof(struct rwlock) == 56, "size of struct rwlock");
