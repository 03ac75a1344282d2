//! Types of messages.

/// The type of a message, `PTYPE_*` in C. Lua calls what it stands for a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Bytes, as C services exchange them.
    Text,
    /// The answer to a request. The runtime takes these; a service does not see them.
    Response,
    /// A channel of `skynet.multicast`.
    Multicast,
    /// What a client of a gate has sent, or is to get.
    Client,
    /// From the node itself.
    System,
    /// Between nodes of a harbor network.
    Harbor,
    /// An event of a socket.
    Socket,
    /// A request failed. The runtime takes these; a service does not see them.
    Error,
    /// `skynet.queue` of long ago.
    Queue,
    /// The debug console.
    Debug,
    /// Values of Lua; see [`crate::lua`].
    Lua,
    /// A service of snax.
    Snax,
    /// Any other, as the project uses it.
    Other(u8),
}

impl Kind {
    /// The number of `PTYPE_*`.
    #[inline]
    pub const fn number(self) -> u8 {
        match self {
            Kind::Text => 0,
            Kind::Response => 1,
            Kind::Multicast => 2,
            Kind::Client => 3,
            Kind::System => 4,
            Kind::Harbor => 5,
            Kind::Socket => 6,
            Kind::Error => 7,
            Kind::Queue => 8,
            Kind::Debug => 9,
            Kind::Lua => 10,
            Kind::Snax => 11,
            Kind::Other(number) => number,
        }
    }

    /// The type of a number.
    #[inline]
    pub const fn from_number(number: u8) -> Kind {
        match number {
            0 => Kind::Text,
            1 => Kind::Response,
            2 => Kind::Multicast,
            3 => Kind::Client,
            4 => Kind::System,
            5 => Kind::Harbor,
            6 => Kind::Socket,
            7 => Kind::Error,
            8 => Kind::Queue,
            9 => Kind::Debug,
            10 => Kind::Lua,
            11 => Kind::Snax,
            other => Kind::Other(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn every_number_comes_back() {
        for number in 0..=u8::MAX {
            assert_eq!(Kind::from_number(number).number(), number);
        }
    }
}
