//! Where services are.

use std::fmt;
use std::num::NonZeroU32;

use serde_core::de::{Error, Unexpected, Visitor};
use serde_core::{Deserialize, Deserializer, Serialize, Serializer};

/// A service: the id of its node in the upper 8 bits, its number there below. To serde it is that number, as Lua has it: a command takes and
/// answers handles as any other value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle(NonZeroU32);

impl Handle {
    /// `None` for 0, which is no service.
    #[inline]
    pub const fn new(number: u32) -> Option<Handle> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Handle(number)),
            None => None,
        }
    }

    /// The number.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// Reads `:hex`.
    pub(crate) fn parse(text: &[u8]) -> Option<Handle> {
        let digits = std::str::from_utf8(text.strip_prefix(b":")?).ok()?;
        Handle::new(u32::from_str_radix(digits, 16).ok()?)
    }
}

impl Serialize for Handle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.get())
    }
}

impl<'de> Deserialize<'de> for Handle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Handle, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = Handle;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the handle of a service, a number that is not 0")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Handle, E> {
                let handle = u32::try_from(number).ok().and_then(Handle::new);
                handle.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Handle, E> {
                let handle = u32::try_from(number).ok().and_then(Handle::new);
                handle.ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
            }
        }

        deserializer.deserialize_u32(Number)
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ":{:08x}", self.get())
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a message goes: a handle, or a name: `.local`, `:hex`, or a global name of the harbor network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Address<'a> {
    /// A service.
    Handle(Handle),
    /// A name, which the core looks up.
    Name(&'a str),
}

impl From<Handle> for Address<'_> {
    #[inline]
    fn from(handle: Handle) -> Self {
        Address::Handle(handle)
    }
}

impl<'a> From<&'a str> for Address<'a> {
    fn from(name: &'a str) -> Self {
        Handle::parse(name.as_bytes()).map_or(Address::Name(name), Address::Handle)
    }
}

impl<'a> From<&'a String> for Address<'a> {
    fn from(name: &'a String) -> Self {
        name.as_str().into()
    }
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Handle(handle) => handle.fmt(f),
            Address::Name(name) => name.fmt(f),
        }
    }
}

/// An address that is kept: what an error names.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum OwnedAddress {
    /// A service.
    Handle(Handle),
    /// A name.
    Name(Box<str>),
}

impl From<Address<'_>> for OwnedAddress {
    #[inline]
    fn from(address: Address<'_>) -> Self {
        match address {
            Address::Handle(handle) => OwnedAddress::Handle(handle),
            Address::Name(name) => OwnedAddress::Name(name.into()),
        }
    }
}

impl From<Handle> for OwnedAddress {
    #[inline]
    fn from(handle: Handle) -> Self {
        OwnedAddress::Handle(handle)
    }
}

impl fmt::Display for OwnedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OwnedAddress::Handle(handle) => handle.fmt(f),
            OwnedAddress::Name(name) => name.fmt(f),
        }
    }
}

impl fmt::Debug for OwnedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, Handle};

    #[test]
    fn hexadecimal_names_are_handles() {
        assert_eq!(
            Address::from(":0100000a"),
            Address::Handle(Handle::new(0x0100_000a).unwrap())
        );
        assert_eq!(Address::from(":0"), Address::Name(":0"));
        assert_eq!(Address::from(".db"), Address::Name(".db"));
        assert_eq!(Handle::new(16).unwrap().to_string(), ":00000010");
    }
}
