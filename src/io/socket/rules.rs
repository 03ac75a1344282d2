//! What a server does otherwise for programs of earlier releases.

use super::state::{Actions, Input, State};
use super::{earlier, state};
use crate::base::release;

/// The differences between the releases that the owner of a socket can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// v1.5.0: a connection can be closed in one direction; before, its end closes it (see [`super::earlier`]).
    pub half_close: bool,
    /// v1.5.0: a close is answered with CLOSE to the owner, once; before, to the service that closes, each time.
    pub close_is_told_once: bool,
    /// v1.6.0: a listening socket tells its port by CONNECT before it is started.
    pub tells_port: bool,
    /// v1.1.0: a WARNING with 0 says that everything has been sent.
    pub warning_ends: bool,
}

impl Rules {
    /// Those of a node that is `version`, in a project that is `compiled` as a whole. What a newer Lua layer could not live
    /// with depends on the latter: it waits for the port, and it closes a socket of which it does not know whenever CLOSE
    /// comes, which would go on for ever if each close were answered.
    pub const fn of(version: u32, compiled: u32) -> Rules {
        Rules {
            half_close: version >= release::V1_5,
            close_is_told_once: compiled >= release::V1_5,
            tells_port: compiled >= release::V1_6,
            warning_ends: compiled >= release::V1_1,
        }
    }

    /// One step of a socket's life.
    pub const fn step(&self, s: State, input: Input) -> (State, Actions) {
        if self.half_close {
            state::step(s, input)
        } else {
            earlier::step(s, input)
        }
    }
}
