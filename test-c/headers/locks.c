/* Threads that would lose updates if a lock of the headers let two of them in. Exit code 0 = nothing was lost. */
#include <pthread.h>
#include "atomic.h"
#include "rwlock.h"
#include "spinlock.h"

#define THREADS 4
#define ROUNDS 20000

struct counter {
	struct spinlock lock;
	long spins;
};

static struct counter counter;
static struct rwlock rwlock;
static long low, high; /* always equal outside of a writer */
static ATOM_INT steps = 0;
static ATOM_ULONG swaps;
static ATOM_SIZET torn;

static void *work(void *unused) {
	int round;
	for (round = 0; round < ROUNDS; round++) {
		SPIN_LOCK(&counter)
		counter.spins++;
		SPIN_UNLOCK(&counter)

		if (round % 8 == 0) {
			rwlock_wlock(&rwlock);
			low++;
			high++;
			rwlock_wunlock(&rwlock);
		} else {
			rwlock_rlock(&rwlock);
			if (low != high) {
				ATOM_FINC(&torn);
			}
			rwlock_runlock(&rwlock);
		}

		ATOM_FADD(&steps, 3);
		ATOM_FSUB(&steps, 2);
		unsigned long seen;
		do {
			seen = ATOM_LOAD(&swaps);
		} while (!ATOM_CAS_ULONG(&swaps, seen, seen + 1));
	}
	return unused;
}

int main(void) {
	pthread_t threads[THREADS];
	int at;
	SPIN_INIT(&counter)
	rwlock_init(&rwlock);
	ATOM_INIT(&swaps, 0);
	ATOM_INIT(&torn, 0);
	for (at = 0; at < THREADS; at++) {
		if (pthread_create(&threads[at], NULL, work, NULL)) {
			return 2;
		}
	}
	for (at = 0; at < THREADS; at++) {
		pthread_join(threads[at], NULL);
	}
	if (!spinlock_trylock(&counter.lock) || spinlock_trylock(&counter.lock)) {
		return 3;
	}
	SPIN_UNLOCK(&counter)
	SPIN_DESTROY(&counter)
	if (counter.spins != THREADS * ROUNDS || low != THREADS * ROUNDS / 8 || high != low) {
		return 4;
	}
	if (ATOM_LOAD(&steps) != THREADS * ROUNDS || ATOM_LOAD(&swaps) != THREADS * ROUNDS || ATOM_LOAD(&torn)) {
		return 5;
	}
	/* The values from before. */
	ATOM_STORE(&steps, 6);
	if (ATOM_FINC(&steps) != 6 || ATOM_FDEC(&steps) != 7 || ATOM_FAND(&steps, 4) != 6 || ATOM_LOAD(&steps) != 4) {
		return 6;
	}
	return 0;
}
