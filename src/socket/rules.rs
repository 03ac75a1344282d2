//! What a server does otherwise for programs of earlier releases.

use crate::release;

/// The differences between the releases that the owner of a socket can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// v1.5.0: a connection can be closed in one direction; before, its end closes it (see [`super::earlier`]). A close is
    /// answered with CLOSE to the owner then, once; before, to whoever closes, each time.
    pub half_close: bool,
    /// v1.6.0: a listening socket tells its port by CONNECT before it is started.
    pub tells_port: bool,
    /// v1.1.0: a WARNING with 0 says that everything has been sent.
    pub warning_ends: bool,
}

impl Rules {
    /// Those of a release.
    pub const fn of(version: u32) -> Rules {
        Rules {
            half_close: version >= release::V1_5,
            tells_port: version >= release::V1_6,
            warning_ends: version >= release::V1_1,
        }
    }
}
