//! Any value of Lua.

use std::fmt;

use serde_core::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_core::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use super::de::exact;
use super::error::Error;
use super::ser::{ITEM, KEY, VALUE as PAIR_VALUE};
use super::string::{LightUserdata, LuaString};
use super::wire::{Input, MAX_DEPTH, Token};

/// Any value of Lua that can be in a message. Packed again, it has the same bytes.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the types of Lua")]
pub enum Value {
    #[default]
    Nil,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    String(LuaString),
    LightUserdata(LightUserdata),
    Table(Table),
}

/// A table: what `skynet.pack` has taken from its array (the items 1..n), and its other pairs in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The items 1..n.
    pub array: Vec<Value>,
    /// All else.
    pub pairs: Vec<(Value, Value)>,
}

impl Table {
    /// What is under a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.pairs.iter().find_map(|(key, value)| match key {
            Value::String(key) if key.0 == name.as_bytes() => Some(value),
            _ => None,
        })
    }
}

impl Value {
    /// Whether it is nil.
    pub fn is_nil(&self) -> bool {
        matches!(self, Value::Nil)
    }

    /// An integer, or a float that is one.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Value::Integer(value) => Some(value),
            Value::Number(value) => exact(value),
            _ => None,
        }
    }

    /// Any number.
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Value::Integer(value) => Some(value as f64),
            Value::Number(value) => Some(value),
            _ => None,
        }
    }

    /// A string that is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// A table.
    pub fn as_table(&self) -> Option<&Table> {
        match self {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Boolean(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Integer(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::Number(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(text.into())
    }
}

impl From<Table> for Value {
    fn from(table: Table) -> Value {
        Value::Table(table)
    }
}

/// The name by which the serializer knows a table that is written as it is.
pub(super) const TABLE: &str = "$skynet::Table";
/// The name by which the deserializer knows that any value is wanted.
pub(super) const VALUE: &str = "$skynet::Value";

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // Not `unit`, which is no value at the top.
            Value::Nil => serializer.serialize_none(),
            Value::Boolean(value) => serializer.serialize_bool(*value),
            Value::Integer(value) => serializer.serialize_i64(*value),
            Value::Number(value) => serializer.serialize_f64(*value),
            Value::String(value) => value.serialize(serializer),
            Value::LightUserdata(value) => value.serialize(serializer),
            Value::Table(table) => table.serialize(serializer),
        }
    }
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(TABLE, &Exactly(self))
    }
}

/// A table for our own serializer, as it is, or for one that does not know the name [`TABLE`].
struct Exactly<'a>(&'a Table);

impl Serialize for Exactly<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Table { array, pairs } = self.0;
        if serializer.is_human_readable() {
            // Another format.
            if pairs.is_empty() {
                return array.serialize(serializer);
            }
            let mut map = serializer.serialize_map(None)?;
            for (at, value) in array.iter().enumerate() {
                map.serialize_entry(&(at + 1), value)?;
            }
            for (key, value) in pairs {
                map.serialize_entry(key, value)?;
            }
            return map.end();
        }
        let mut table = serializer.serialize_struct(TABLE, array.len() + 2 * pairs.len())?;
        for value in array {
            table.serialize_field(ITEM, value)?;
        }
        for (key, value) in pairs {
            table.serialize_field(KEY, key)?;
            table.serialize_field(PAIR_VALUE, value)?;
        }
        table.end()
    }
}

/// Reads a value as it is. What a table says of its length is not believed.
fn read(input: &mut Input<'_>, depth: usize) -> Result<Value, Error> {
    if depth > MAX_DEPTH {
        return Err(Error::TooDeep);
    }
    Ok(match input.token()? {
        Token::Nil => Value::Nil,
        Token::Boolean(value) => Value::Boolean(value),
        Token::Integer(value) => Value::Integer(value),
        Token::Float(value) => Value::Number(value),
        Token::Pointer(value) => Value::LightUserdata(LightUserdata(value)),
        Token::String(bytes) => Value::String(bytes.into()),
        Token::Table(items) => {
            let mut table = Table::default();
            for _ in 0..items {
                table.array.push(read(input, depth + 1)?);
            }
            while !input.is_nil() {
                let key = read(input, depth + 1)?;
                let value = read(input, depth + 1)?;
                table.pairs.push((key, value));
            }
            input.token()?;
            Value::Table(table)
        }
    })
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        // A field that is not there is nil: serde asks only options whether they are content with that.
        deserializer.deserialize_option(Exact)
    }
}

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Table, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Table(table) => Ok(table),
            _ => Err(de::Error::custom("expected a table")),
        }
    }
}

/// Our own deserializer hands the bytes of the value over.
struct Exact;

impl<'de> Visitor<'de> for Exact {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of Lua")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Value, E> {
        read(&mut Input::new(bytes), 0).map_err(E::custom)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_newtype_struct(VALUE, self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(Foreign)
    }
}

/// A value of another format.
struct Foreign;

impl<'de> Visitor<'de> for Foreign {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that Lua has")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        i64::try_from(value).map(Value::Integer).map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::String(bytes.into()))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        Value::deserialize(from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut table = Table::default();
        while let Some(value) = items.next_element()? {
            table.array.push(value);
        }
        Ok(Value::Table(table))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Value, A::Error> {
        let mut table = Table::default();
        while let Some((key, value)) = pairs.next_entry()? {
            // The items come first.
            if table.pairs.is_empty() && key == Value::Integer(table.array.len() as i64 + 1) {
                table.array.push(value);
            } else {
                table.pairs.push((key, value));
            }
        }
        Ok(Value::Table(table))
    }
}
