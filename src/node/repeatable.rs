//! Virtual time and services in a seeded order: what a run can be had again by. For tests; off without their keys.

use crate::base::{clock, env, log};
use crate::io::timer;
use crate::node::config::keys::refusal;
use crate::scheduler::seeded;
#[cfg(feature = "lua")]
use skynet_support::Vm;
use std::ffi::CStr;
#[cfg(feature = "lua")]
use std::ffi::c_uint;

/// Reads the keys, before the clock starts. The seed, if there is one; it brings virtual time along and wants one worker. The
/// error is a line for the user.
pub fn prepare() -> Result<Option<u64>, String> {
    let seed = match env::get(c"scheduler_seed") {
        None => None,
        Some(text) => Some(parse(text).ok_or_else(|| refusal(c"scheduler_seed", text))?),
    };
    if let Some(seed) = seed {
        seeded::use_seed(seed, timer::pass_tick);
    }
    if seed.is_some() || env::get(c"virtual_time") == Some(c"true") {
        clock::make_virtual();
    }
    Ok(seed)
}

/// Makes the hashes of texts, and with them the order of `pairs`, the same in each run with this seed: the first Lua state of a
/// process decides for all of them. Before any other; so a seed that stands in a config file comes too late for this.
#[cfg(feature = "lua")]
pub fn choose_hashes(seed: &CStr) {
    let Some(seed) = parse(seed) else { return };
    drop(Vm::with_seed(seed as c_uint));
}

fn parse(text: &CStr) -> Option<u64> {
    text.to_str().ok()?.trim().parse().ok()
}

/// The log says so: a node with such a clock is of no use to players.
pub fn tell() {
    if let Some(seed) = seeded::seed() {
        log::error_fmt(
            0,
            format_args!(
                "scheduler_seed = {seed}: one worker, services in the order of that seed, virtual time"
            ),
        );
    } else if clock::is_virtual() {
        log::error_fmt(
            0,
            format_args!(
                "virtual_time = true: when nothing is left to do the clock jumps to the next timer"
            ),
        );
    }
}
