//! From the bytes to Rust.

use serde_core::de::value::I64Deserializer;
use serde_core::de::{Deserializer, Error as _, Expected, Unexpected, Visitor};

use super::error::Error;
use super::readings;
use super::string::LIGHT_USERDATA;
use super::table::{Items, Named, Pairs, Variant};
use super::value::VALUE;
use super::wire::{Input, MAX_DEPTH, Token};

/// One value.
pub(super) struct One<'a, 'de> {
    input: &'a mut Input<'de>,
    /// Tables around it.
    depth: usize,
    /// A value that is missing at the end counts as nil.
    optional: bool,
}

impl<'a, 'de> One<'a, 'de> {
    pub(super) fn or_nil(input: &'a mut Input<'de>) -> One<'a, 'de> {
        One {
            input,
            depth: 0,
            optional: true,
        }
    }

    pub(super) fn within(input: &'a mut Input<'de>, depth: usize) -> One<'a, 'de> {
        One {
            input,
            depth,
            optional: false,
        }
    }

    pub(super) fn token(&mut self) -> Result<Token<'de>, Error> {
        if self.depth > MAX_DEPTH {
            return Err(Error::TooDeep);
        }
        if self.optional && self.input.is_empty() {
            return Ok(Token::Nil);
        }
        self.input.token()
    }

    /// Visits a table as the pairs that it has.
    fn map<V: Visitor<'de>>(self, items: usize, visitor: V) -> Result<V::Value, Error> {
        let mut pairs = Pairs::new(self.input, self.depth + 1, items);
        let value = visitor.visit_map(&mut pairs)?;
        pairs.end()?;
        Ok(value)
    }

    /// Visits a table as the items 1..n.
    fn seq<V: Visitor<'de>>(
        self,
        items: usize,
        wanted: Option<usize>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let mut seq = Items::new(Pairs::new(self.input, self.depth + 1, items), wanted);
        let value = visitor.visit_seq(&mut seq)?;
        seq.end()?;
        Ok(value)
    }

    /// Any number: a float that is an integer comes as one.
    fn number<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        match self.token()? {
            Token::Integer(value) => visitor.visit_i64(value),
            Token::Float(value) => match exact(value) {
                Some(integer) => visitor.visit_i64(integer),
                None => visitor.visit_f64(value),
            },
            other => Err(unexpected(other, &visitor)),
        }
    }

    fn text<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        match self.token()? {
            Token::String(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => visitor.visit_borrowed_str(text),
                Err(_) => Err(Error::Message(
                    "a string that is no UTF-8; LuaString takes any bytes".to_string(),
                )),
            },
            other => Err(unexpected(other, &visitor)),
        }
    }

    pub(super) fn list<V: Visitor<'de>>(
        mut self,
        len: Option<usize>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.token()? {
            Token::Table(items) => self.seq(items, len, visitor),
            other => Err(unexpected(other, &visitor)),
        }
    }

    fn bytes<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        match self.token()? {
            Token::String(bytes) => visitor.visit_borrowed_bytes(bytes),
            other => Err(unexpected(other, &visitor)),
        }
    }

    /// Goes past the value.
    pub(super) fn skip(&mut self) -> Result<(), Error> {
        let Token::Table(items) = self.token()? else {
            return Ok(());
        };
        let inner = self.depth + 1;
        for _ in 0..items {
            One::within(self.input, inner).skip()?;
        }
        loop {
            if self.input.is_nil() {
                self.input.token()?;
                return Ok(());
            }
            One::within(self.input, inner).skip()?;
            One::within(self.input, inner).skip()?;
        }
    }

    /// The bytes of the value.
    fn raw(mut self) -> Result<&'de [u8], Error> {
        let before = self.input.rest();
        self.skip()?;
        Ok(&before[..before.len() - self.input.rest().len()])
    }
}

pub(super) fn exact(value: f64) -> Option<i64> {
    let integer = value as i64;
    // The greatest i64 is no f64: what rounds to it is above.
    (integer as f64 == value && integer != i64::MAX).then_some(integer)
}

fn unexpected(token: Token<'_>, expected: &dyn Expected) -> Error {
    let found = match token {
        Token::Nil => Unexpected::Other("nil"),
        Token::Boolean(value) => Unexpected::Bool(value),
        Token::Integer(value) => Unexpected::Signed(value),
        Token::Float(value) => Unexpected::Float(value),
        Token::Pointer(_) => Unexpected::Other("light userdata"),
        Token::String(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Unexpected::Str(text),
            Err(_) => Unexpected::Bytes(bytes),
        },
        Token::Table(_) => Unexpected::Other("table"),
    };
    // How Rust keeps a string is nothing to who has sent another value.
    let expected = expected
        .to_string()
        .replace("a borrowed string", "a string");
    Error::invalid_type(found, &expected.as_str())
}

impl<'de> Deserializer<'de> for One<'_, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        match self.token()? {
            Token::Nil => visitor.visit_unit(),
            Token::Boolean(value) => visitor.visit_bool(value),
            Token::Integer(value) => visitor.visit_i64(value),
            Token::Float(value) => visitor.visit_f64(value),
            Token::Pointer(value) => visitor.visit_i64(value as i64),
            Token::String(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => visitor.visit_borrowed_str(text),
                Err(_) => visitor.visit_borrowed_bytes(bytes),
            },
            Token::Table(items) => {
                if readings::is_list(*self.input, items, self.depth + 1)? {
                    self.seq(items, None, visitor)
                } else {
                    self.map(items, visitor)
                }
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        match self.token()? {
            Token::Boolean(value) => visitor.visit_bool(value),
            other => Err(unexpected(other, &visitor)),
        }
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.number(visitor)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.number(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.number(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.number(visitor)
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.number(visitor)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.number(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.number(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.number(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.number(visitor)
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.number(visitor)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        match self.token()? {
            Token::Integer(value) => visitor.visit_i64(value),
            Token::Float(value) => visitor.visit_f64(value),
            other => Err(unexpected(other, &visitor)),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.bytes(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        if self.input.is_nil() || self.optional && self.input.is_empty() {
            self.token()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        match self.token()? {
            Token::Nil => visitor.visit_unit(),
            other => Err(unexpected(other, &visitor)),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match name {
            LIGHT_USERDATA => match self.token()? {
                Token::Pointer(value) => {
                    visitor.visit_newtype_struct(I64Deserializer::<Error>::new(value as i64))
                }
                other => Err(unexpected(other, &visitor)),
            },
            VALUE if self.optional && self.input.is_empty() => visitor.visit_unit(),
            VALUE => visitor.visit_borrowed_bytes(self.raw()?),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.list(None, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.list(Some(len), visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.list(Some(len), visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        match self.token()? {
            Token::Table(items) => self.map(items, visitor),
            other => Err(unexpected(other, &visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.token()? {
            Token::String(bytes) => {
                let name = std::str::from_utf8(bytes).map_err(Error::custom)?;
                visitor.visit_enum(Named(name))
            }
            Token::Table(0) => {
                let depth = self.depth + 1;
                let value = visitor.visit_enum(Variant::new(self.input, depth))?;
                match self.input.token()? {
                    Token::Nil => Ok(value),
                    _ => Err(Error::custom("an enum is a table with one pair")),
                }
            }
            other => Err(unexpected(other, &visitor)),
        }
    }

    /// The name of a field or a variant. Numbers come as text, so that they are the numbers of no field.
    fn deserialize_identifier<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        match self.token()? {
            Token::String(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => visitor.visit_borrowed_str(text),
                Err(_) => visitor.visit_borrowed_bytes(bytes),
            },
            Token::Integer(value) => visitor.visit_string(value.to_string()),
            Token::Table(_) => Err(Error::custom("a table as a key, where a name is expected")),
            other => visitor.visit_string(format!("{other:?}")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.skip()?;
        visitor.visit_unit()
    }
}
