//! From Rust to the bytes.

use std::fmt;

use serde_core::ser::{self, Serialize};

use super::error::{Error, Key};
use super::string::LIGHT_USERDATA;
use super::value::TABLE;
use super::wire::{self, Input, MAX_DEPTH, Token};
use crate::payload::PayloadWriter;

/// One value.
pub(super) struct One<'a> {
    out: &'a mut PayloadWriter,
    /// Tables around it.
    depth: usize,
    /// It is a [`super::Table`], in its own words.
    exact: bool,
}

impl<'a> One<'a> {
    pub(super) fn new(out: &'a mut PayloadWriter, depth: usize) -> One<'a> {
        One {
            out,
            depth,
            exact: false,
        }
    }

    fn check(&self) -> Result<(), Error> {
        if self.depth > MAX_DEPTH {
            return Err(Error::TooDeep);
        }
        Ok(())
    }

    fn integer<T: TryInto<i64> + Copy + fmt::Display>(self, value: T) -> Result<(), Error> {
        self.check()?;
        let number = value.try_into().map_err(|_| {
            Error::Message(format!("{value} is no integer of Lua, which is an i64"))
        })?;
        wire::integer(self.out, number);
        Ok(())
    }
}

/// A table that is written: first the items, then the pairs.
pub(super) struct Compound<'a> {
    out: &'a mut PayloadWriter,
    /// Where it begins: there the number of items is put in, when it is known only at their end.
    begin: usize,
    /// The number that is written already.
    expected: Option<usize>,
    items: usize,
    /// Tables around what is in it.
    depth: usize,
    /// Where the current pair begins.
    pair: usize,
    in_pairs: bool,
    /// Closed with one more nil: `{Variant = {...}}`.
    outer: bool,
    /// A [`super::Table`] comes in these words: [`ITEM`], [`KEY`], [`VALUE`].
    exact: bool,
}

/// The fields of an exact table.
pub(super) const ITEM: &str = "item";
pub(super) const KEY: &str = "key";
pub(super) const VALUE: &str = "value";

impl<'a> Compound<'a> {
    fn begin(one: One<'a>, expected: Option<usize>) -> Result<Compound<'a>, Error> {
        one.check()?;
        let begin = one.out.len();
        if let Some(items) = expected {
            wire::table(one.out, begin, items)?;
        }
        Ok(Compound {
            begin,
            expected,
            items: 0,
            depth: one.depth + 1,
            pair: begin,
            in_pairs: false,
            outer: false,
            exact: false,
            out: one.out,
        })
    }

    /// The table `{name = {...}}`, whose inner one is written.
    fn variant(one: One<'a>, name: &str, items: usize) -> Result<Compound<'a>, Error> {
        one.check()?;
        wire::table(one.out, one.out.len(), 0)?;
        wire::string(one.out, name.as_bytes())?;
        let mut inner = Compound::begin(One::new(one.out, one.depth + 1), Some(items))?;
        inner.outer = true;
        Ok(inner)
    }

    pub(super) fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.items += 1;
        let one = One::new(self.out, self.depth);
        value
            .serialize(one)
            .map_err(|error| error.of(format_args!("item {}", self.items)))
    }

    /// The items are complete.
    fn pairs(&mut self) -> Result<(), Error> {
        if !self.in_pairs {
            self.in_pairs = true;
            match self.expected {
                None => wire::table(self.out, self.begin, self.items)?,
                Some(expected) if expected == self.items => {}
                Some(expected) => {
                    let text = format!("{expected} items were announced, {} came", self.items);
                    return Err(Error::Message(text));
                }
            }
        }
        Ok(())
    }

    pub(super) fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.pairs()?;
        self.pair = self.out.len();
        key.serialize(One::new(self.out, self.depth))?;
        let key = &self.out[self.pair..];
        if key[0] & 7 == wire::NIL {
            return Err(Error::Unsupported("nil as a key of a table"));
        }
        if key.len() == 9
            && key[0] == wire::NUMBER | 8 << 3
            && f64::from_ne_bytes(key[1..].try_into().unwrap_or_default()).is_nan()
        {
            return Err(Error::Unsupported("NaN as a key of a table"));
        }
        Ok(())
    }

    pub(super) fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let at = self.out.len();
        let one = One::new(self.out, self.depth);
        value
            .serialize(one)
            .map_err(|error| error.of(Key(&self.out[self.pair..at])))?;
        if self.out[at] & 7 == wire::NIL {
            // A table has no nil in it.
            self.out.truncate(self.pair);
        }
        Ok(())
    }

    pub(super) fn end(mut self) -> Result<(), Error> {
        self.pairs()?;
        wire::nil(self.out);
        if self.outer {
            wire::nil(self.out);
        }
        Ok(())
    }
}

impl<'a> ser::Serializer for One<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.check()?;
        wire::boolean(self.out, value);
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.integer(value)
    }

    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.integer(value)
    }

    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.integer(value)
    }

    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        self.integer(value)
    }

    fn serialize_i128(self, value: i128) -> Result<(), Error> {
        self.integer(value)
    }

    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.integer(value)
    }

    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.integer(value)
    }

    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.integer(value)
    }

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        self.integer(value)
    }

    fn serialize_u128(self, value: u128) -> Result<(), Error> {
        self.integer(value)
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.check()?;
        wire::float(self.out, value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        self.serialize_bytes(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.check()?;
        wire::string(self.out, value)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.check()?;
        wire::nil(self.out);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
    ) -> Result<(), Error> {
        self.serialize_str(name)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        match name {
            LIGHT_USERDATA => {
                let at = self.out.len();
                let out = &mut *self.out;
                value.serialize(One::new(out, self.depth))?;
                // It came as an integer.
                if let Token::Integer(pointer) = Input::new(&self.out[at..]).token()? {
                    self.out.truncate(at);
                    wire::pointer(self.out, pointer as usize);
                }
                Ok(())
            }
            TABLE => value.serialize(One {
                exact: true,
                ..self
            }),
            _ => value.serialize(self),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let mut table = Compound::begin(self, Some(0))?;
        table.key(name)?;
        let empty = table.pair;
        table.value(value)?;
        if table.out.len() == empty {
            // No table has nil in it: the name alone, as of a variant without content.
            let begin = table.begin;
            table.out.truncate(begin);
            return wire::string(table.out, name.as_bytes());
        }
        table.end()
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Compound<'a>, Error> {
        Compound::begin(self, len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Compound<'a>, Error> {
        Compound::begin(self, Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Compound<'a>, Error> {
        Compound::begin(self, Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        len: usize,
    ) -> Result<Compound<'a>, Error> {
        Compound::variant(self, name, len)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'a>, Error> {
        Compound::begin(self, Some(0))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Compound<'a>, Error> {
        let exact = self.exact;
        let mut table = Compound::begin(self, (!exact).then_some(0))?;
        table.exact = exact;
        Ok(table)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, Error> {
        Compound::variant(self, name, 0)
    }

    /// Lua has no use for what a type has for machines: an address of the internet is text. (No, for who asks whether this is [`One`].)
    fn is_human_readable(&self) -> bool {
        !self.exact
    }
}

/// Tables by their items.
macro_rules! items {
    ($($trait:ident::$name:ident),*) => {
        $(impl ser::$trait for Compound<'_> {
            type Ok = ();
            type Error = Error;

            fn $name<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.item(value)
            }

            fn end(self) -> Result<(), Error> {
                Compound::end(self)
            }
        })*
    };
}

items! {
    SerializeSeq::serialize_element, SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field, SerializeTupleVariant::serialize_field
}

/// Tables by the names of fields.
macro_rules! fields {
    ($($trait:ident),*) => {
        $(impl ser::$trait for Compound<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
                match name {
                    ITEM if self.exact => self.item(value),
                    KEY if self.exact => self.key(value),
                    VALUE if self.exact => self.value(value),
                    _ => {
                        self.key(name)?;
                        self.value(value)
                    }
                }
            }

            fn end(self) -> Result<(), Error> {
                Compound::end(self)
            }
        })*
    };
}

fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.value(value)
    }

    fn end(self) -> Result<(), Error> {
        Compound::end(self)
    }
}
