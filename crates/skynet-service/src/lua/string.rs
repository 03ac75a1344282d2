//! What Lua has and Rust has not: strings of any bytes, and light userdata.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde_core::de::{self, Deserialize, Deserializer, Visitor};
use serde_core::ser::{Serialize, Serializer};

/// A string of Lua: any bytes.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LuaString(pub Vec<u8>);

impl LuaString {
    /// As text; what is no UTF-8 is replaced.
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl Deref for LuaString {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for LuaString {
    fn from(text: &str) -> LuaString {
        LuaString(text.as_bytes().to_vec())
    }
}

impl From<&[u8]> for LuaString {
    fn from(bytes: &[u8]) -> LuaString {
        LuaString(bytes.to_vec())
    }
}

impl fmt::Debug for LuaString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

impl Serialize for LuaString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self)
    }
}

impl<'de> Deserialize<'de> for LuaString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LuaString, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = LuaString;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<LuaString, E> {
                Ok(bytes.into())
            }

            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<LuaString, E> {
                Ok(LuaString(bytes))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<LuaString, E> {
                Ok(text.into())
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}

/// A pointer that Lua carries. Nothing says that it is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LightUserdata(pub usize);

/// The name by which the serializer knows a light userdata.
pub(super) const LIGHT_USERDATA: &str = "$skynet::LightUserdata";

impl Serialize for LightUserdata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(LIGHT_USERDATA, &(self.0 as i64))
    }
}

impl<'de> Deserialize<'de> for LightUserdata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LightUserdata, D::Error> {
        struct Pointer;
        impl<'de> Visitor<'de> for Pointer {
            type Value = LightUserdata;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a light userdata")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                from: D,
            ) -> Result<LightUserdata, D::Error> {
                i64::deserialize(from).map(|pointer| LightUserdata(pointer as usize))
            }
        }
        deserializer.deserialize_newtype_struct(LIGHT_USERDATA, Pointer)
    }
}
