//! Random bytes from the system, fetched in advance: a system call costs many times what a key of 8 bytes needs.

use std::cell::Cell;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::mix::Word;

/// Keys that one call fetches: 256 bytes, the system's limit for a call.
const FETCH: usize = 32;

/// What a thread has fetched. A key that was given out is not in it any more.
struct Pool {
    keys: [Cell<Word>; FETCH],
    /// So many of them have not been given out, from the first one on.
    left: Cell<usize>,
    /// The [`GENERATION`] of the process that has fetched them.
    generation: Cell<u32>,
}

thread_local! {
    static POOL: Pool = const {
        Pool {
            keys: [const { Cell::new([0; 8]) }; FETCH],
            left: Cell::new(0),
            generation: Cell::new(0),
        }
    };
}

/// Counts the forks that lead to this process: a child must not give out what its parent gives out too.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// In the child, after a fork.
///
/// # Safety
/// None needed; the signature is that of `pthread_atfork`.
unsafe extern "C" fn forked() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

impl Pool {
    /// Fetches new keys. False when the system has none.
    #[cold]
    fn fill(&self) -> bool {
        static WATCHED: Once = Once::new();
        // SAFETY: the handler may be called at any time.
        WATCHED.call_once(|| unsafe {
            libc::pthread_atfork(None, None, Some(forked));
        });
        let mut keys = [[0; 8]; FETCH];
        if skynet_support::random::fill(keys.as_flattened_mut()).is_err() {
            return false;
        }
        for (place, key) in self.keys.iter().zip(keys) {
            place.set(key);
        }
        self.generation.set(GENERATION.load(Ordering::Relaxed));
        self.left.set(FETCH);
        true
    }

    fn next(&self) -> Option<Word> {
        let current = self.generation.get() == GENERATION.load(Ordering::Relaxed);
        if (self.left.get() == 0 || !current) && !self.fill() {
            return None;
        }
        let last = self.left.get() - 1;
        self.left.set(last);
        Some(self.keys[last].replace([0; 8]))
    }
}

/// 8 random bytes; `None` when the system has none.
pub fn word() -> Option<Word> {
    POOL.with(Pool::next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_differ_on_all_threads_and_leave_nothing_behind() {
        let all = || -> Vec<Word> { (0..5 * FETCH).map(|_| word().unwrap()).collect() };
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(all)).collect();
        let mut seen: HashSet<Word> = all().into_iter().collect();
        for thread in threads {
            seen.extend(thread.join().unwrap());
        }
        assert_eq!(seen.len(), 5 * 5 * FETCH);
        POOL.with(|pool| {
            let left = pool.left.get();
            assert!(pool.keys[left..].iter().all(|key| key.get() == [0; 8]));
        });
    }

    #[test]
    fn a_child_of_the_process_has_keys_of_its_own() {
        word().unwrap();
        let mut pipe = [0; 2];
        // SAFETY: the child calls what a fork of a process with threads leaves usable (no allocation), and exits.
        let theirs = unsafe {
            assert_eq!(libc::pipe(pipe.as_mut_ptr()), 0);
            let child = libc::fork();
            if child == 0 {
                let key = word().unwrap_or_default();
                libc::write(pipe[1], key.as_ptr().cast(), key.len());
                libc::_exit(0);
            }
            let mut theirs: Word = [0; 8];
            assert_eq!(libc::read(pipe[0], theirs.as_mut_ptr().cast(), 8), 8);
            libc::waitpid(child, std::ptr::null_mut(), 0);
            libc::close(pipe[0]);
            libc::close(pipe[1]);
            theirs
        };
        assert_ne!(theirs, [0; 8]);
        assert_ne!(theirs, word().unwrap());
    }
}
