//! A node whose config has a `debug_adapter`: the service that speaks with the editor, and threads for what a stopped service
//! leaves undone.

use super::host::Node;
use super::threads::try_spawn;
use crate::actor::service::{self, ThreadClass};
use crate::base::{env, log};
use crate::scheduler;
use crate::services::builtin::snlua::debugger;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::thread::JoinHandle;

/// The threads of spare workers, by their index.
static SPARES: Mutex<BTreeMap<usize, JoinHandle<()>>> = Mutex::new(BTreeMap::new());

/// Before the first service is launched. Whether there is to be a debug adapter. The error is a line for the user.
pub(super) fn prepare(seeded: bool) -> Result<bool, String> {
    if env::get(c"debug_adapter").is_none_or(|port| port.is_empty()) {
        return Ok(false);
    }
    if seeded {
        return Err(String::from(
            "debug_adapter: a node that repeats a run (seed) has one worker, and its services cannot be stopped one by one; leave \
             one of the two keys out",
        ));
    }
    if env::get(c"virtual_time").is_some_and(|value| value == c"true") {
        return Err(String::from(
            "debug_adapter: with virtual_time the clock would not wait for a service that is stopped; leave one of the two keys out",
        ));
    }
    debugger::enable(spawn);
    Ok(true)
}

/// When `first`, the config's first service, is there, and no worker runs yet.
pub(super) fn launch(first: u32) {
    if env::get(c"debug_adapter_wait").is_some_and(|value| value == c"true") {
        debugger::await_editor(first);
    }
    if service::launch(c"snlua", Some(c"debug_adapter")).is_none() {
        log::error(0, b"debug_adapter: the service could not be launched");
    }
}

fn spawn(index: usize) -> bool {
    let mut spares = SPARES.lock();
    // It has nothing left to do, but has its place until it has ended.
    join(spares.remove(&index));
    let spawned = try_spawn(format!("worker {index}"), move || {
        service::init_thread(ThreadClass::Worker);
        scheduler::run_spare::<Node>(index);
    });
    match spawned {
        Ok(thread) => spares.insert(index, thread).is_none(),
        Err(_) => false,
    }
}

fn join(thread: Option<JoinHandle<()>>) {
    // Never an error: a panic in one of them ends the process.
    let _ = thread.map(JoinHandle::join);
}

/// The other threads have ended.
pub(super) fn join_spares() {
    let spares = std::mem::take(&mut *SPARES.lock());
    for (_, thread) in spares {
        join(Some(thread));
    }
}
