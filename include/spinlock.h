/*
 * A lock for very short critical sections, embedded as the member `lock` of the structure that it protects.
 *
 * USE_PTHREAD_LOCK puts a pthread mutex in its place; every file that shares the structure has to agree on it,
 * because the size changes (4 bytes without, 40 with, on x86-64 Linux).
 */
#ifndef SKYNET_SPINLOCK_H
#define SKYNET_SPINLOCK_H

/* q points to a structure with a member `struct spinlock lock`. The semicolon belongs to the macro: callers write none. */
#define SPIN_INIT(q) spinlock_init(&(q)->lock);
#define SPIN_LOCK(q) spinlock_lock(&(q)->lock);
#define SPIN_UNLOCK(q) spinlock_unlock(&(q)->lock);
#define SPIN_DESTROY(q) spinlock_destroy(&(q)->lock);

#ifdef USE_PTHREAD_LOCK

#include <pthread.h>

struct spinlock {
	pthread_mutex_t lock;
};

static inline void spinlock_init(struct spinlock *lock) {
	pthread_mutex_init(&lock->lock, 0);
}

static inline void spinlock_destroy(struct spinlock *lock) {
	pthread_mutex_destroy(&lock->lock);
}

static inline int spinlock_trylock(struct spinlock *lock) {
	return !pthread_mutex_trylock(&lock->lock);
}

static inline void spinlock_lock(struct spinlock *lock) {
	pthread_mutex_lock(&lock->lock);
}

static inline void spinlock_unlock(struct spinlock *lock) {
	pthread_mutex_unlock(&lock->lock);
}

#else

#include "atomic.h"

/* atomic_test_and_set_ is 0 for the caller that took the lock. */
#ifdef SKYNET_ATOMIC_BUILTIN
#define atomic_flag_ ATOM_INT
#define ATOMIC_FLAG_INIT_ 0
#define atomic_flag_test_and_set_(ptr) __atomic_exchange_n((ptr), 1, __ATOMIC_ACQUIRE)
#define atomic_flag_clear_(ptr) __atomic_store_n((ptr), 0, __ATOMIC_RELEASE)
#define atomic_test_and_set_(ptr) atomic_flag_test_and_set_(ptr)
#define atomic_clear_(ptr) atomic_flag_clear_(ptr);
#define atomic_load_relaxed_(ptr) __atomic_load_n((ptr), __ATOMIC_RELAXED)
#else
#define atomic_test_and_set_(ptr) STD_ atomic_exchange_explicit((ptr), 1, STD_ memory_order_acquire)
#define atomic_clear_(ptr) STD_ atomic_store_explicit((ptr), 0, STD_ memory_order_release);
#define atomic_load_relaxed_(ptr) STD_ atomic_load_explicit((ptr), STD_ memory_order_relaxed)
#endif

#if defined(__x86_64__)
#include <immintrin.h>
#define atomic_pause_() _mm_pause()
#else
#define atomic_pause_() ((void)0)
#endif

struct spinlock {
	ATOM_INT lock;
};

static inline void spinlock_init(struct spinlock *lock) {
	ATOM_INIT(&lock->lock, 0);
}

static inline void spinlock_destroy(struct spinlock *lock) {
	(void)lock;
}

static inline int spinlock_trylock(struct spinlock *lock) {
	/* Look before writing: a failed attempt then leaves the cache line shared. */
	return !atomic_load_relaxed_(&lock->lock) && !atomic_test_and_set_(&lock->lock);
}

static inline void spinlock_lock(struct spinlock *lock) {
	while (!spinlock_trylock(lock)) {
		atomic_pause_();
	}
}

static inline void spinlock_unlock(struct spinlock *lock) {
	atomic_clear_(&lock->lock)
}

#endif /* USE_PTHREAD_LOCK */

#endif
