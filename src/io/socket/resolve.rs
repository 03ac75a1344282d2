//! Names to addresses. Numbers are answered at once; names go to threads of their own, so that a slow name server never
//! holds up the I/O thread.

use super::addr::{SockAddr, Text};
use crate::base::panic;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::sync::Arc;

/// All addresses of a name, or the text of the failure.
pub type Found = Result<Vec<SockAddr>, Box<Text>>;
/// A blocking look-up of (host, port) for streams; a test may bring its own.
pub type Lookup = dyn Fn(&CStr, i32) -> Found + Send + Sync;

/// Bytes of the longest host that a look-up can find (NI_MAXHOST of netdb.h), with a zero behind them.
const LONGEST_HOST: usize = 1025;

/// A copy of a host. No more of it than makes clear that it is none: it is as long as a program has made it.
pub fn named(host: &CStr) -> CString {
    let bytes = host.to_bytes();
    // Of a C string, so that no zero is in it.
    CString::new(&bytes[..bytes.len().min(LONGEST_HOST)]).unwrap_or_default()
}

/// The look-up of the C library.
///
/// `kind` is SOCK_STREAM or SOCK_DGRAM; `numeric` refuses names (and so never blocks).
pub fn getaddrinfo(host: &CStr, port: i32, kind: i32, numeric: bool) -> Result<Vec<SockAddr>, i32> {
    let Ok(service) = CString::new(port.to_string()) else {
        return Err(libc::EAI_SERVICE);
    };
    // SAFETY: all-zero is a valid addrinfo.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_family = libc::AF_UNSPEC;
    hints.ai_socktype = kind;
    hints.ai_protocol = if kind == libc::SOCK_STREAM {
        libc::IPPROTO_TCP
    } else {
        libc::IPPROTO_UDP
    };
    hints.ai_flags = if numeric { libc::AI_NUMERICHOST } else { 0 };
    let mut list = null_mut();
    // SAFETY: strings are terminated, hints are valid, and the list is released below.
    let status = unsafe { libc::getaddrinfo(host.as_ptr(), service.as_ptr(), &hints, &mut list) };
    if status != 0 {
        return Err(status);
    }
    let mut found = Vec::new();
    let mut at = list;
    while !at.is_null() {
        // SAFETY: the list is valid until freeaddrinfo.
        let ai = unsafe { &*at };
        // SAFETY: the entry's address has the length it states.
        found.extend(unsafe { SockAddr::from_raw(ai.ai_addr, ai.ai_addrlen) });
        at = ai.ai_next;
    }
    // SAFETY: the list came from getaddrinfo.
    unsafe { libc::freeaddrinfo(list) };
    if found.is_empty() {
        Err(libc::EAI_FAMILY)
    } else {
        Ok(found)
    }
}

/// The text of a failed look-up.
pub fn failure(status: i32) -> Text {
    let mut t = Text::new();
    // SAFETY: gai_strerror gives a static string for every number.
    t.append(unsafe { CStr::from_ptr(libc::gai_strerror(status)) }.to_bytes());
    t
}

/// The blocking look-up for streams.
pub fn system_lookup(host: &CStr, port: i32) -> Found {
    getaddrinfo(host, port, libc::SOCK_STREAM, false).map_err(|status| Box::new(failure(status)))
}

type Job = Box<dyn FnOnce(&Lookup) + Send>;

struct Pool {
    waiting: VecDeque<Job>,
    threads: usize,
}

/// Threads that look names up: started when needed, gone when there is nothing to do.
pub struct Resolver {
    lookup: Arc<Lookup>,
    pool: Arc<Mutex<Pool>>,
}

impl Resolver {
    /// So many look-ups run at a time; further ones wait.
    const MAX_THREADS: usize = 16;

    /// A resolver with the given look-up.
    pub fn new(lookup: Arc<Lookup>) -> Resolver {
        Resolver {
            lookup,
            pool: Arc::new(Mutex::new(Pool {
                waiting: VecDeque::new(),
                threads: 0,
            })),
        }
    }

    /// Looks `host` up on another thread, which calls `done`. If no thread can be started, `done` is called at once.
    pub fn look_up(&self, host: CString, port: i32, done: impl FnOnce(Found) + Send + 'static) {
        let job: Job = Box::new(move |lookup| {
            // The look-up may be a hook of a test: a panic in it is a look-up that failed.
            let failed = || Err(Box::new(Text::from("the look-up of the name panicked")));
            let found = catch_unwind(AssertUnwindSafe(|| lookup(&host, port)));
            done(found.unwrap_or_else(|_| failed()));
        });
        let mut pool = self.pool.lock();
        pool.waiting.push_back(job);
        if pool.threads >= Self::MAX_THREADS {
            return;
        }
        pool.threads += 1;
        drop(pool);
        let (lookup, shared) = (self.lookup.clone(), self.pool.clone());
        let started = std::thread::Builder::new()
            .name("skynet-resolve".into())
            .spawn(move || {
                // The socket that waits for the look-up must hear of it.
                panic::thread(|| {
                    while let Some(job) = Self::next(&shared) {
                        job(&*lookup);
                    }
                });
            });
        if started.is_err() {
            let mut pool = self.pool.lock();
            pool.threads -= 1;
            let stranded = if pool.threads == 0 {
                std::mem::take(&mut pool.waiting)
            } else {
                VecDeque::new()
            };
            drop(pool);
            for job in stranded {
                job(&|_: &CStr, _| {
                    Err(Box::new(Text::from(
                        "can't start a thread for the name look-up",
                    )))
                });
            }
        }
    }

    fn next(pool: &Mutex<Pool>) -> Option<Job> {
        let mut pool = pool.lock();
        let job = pool.waiting.pop_front();
        if job.is_none() {
            pool.threads -= 1;
        }
        job
    }
}
