//! The values of a message, from Rust to the bytes.

use serde_core::ser::{self, Serialize};

use super::error::Error;
use super::ser::{Compound, One};
use crate::payload::PayloadWriter;

/// The values of a message: a tuple is several.
pub(super) struct Top<'a> {
    out: &'a mut PayloadWriter,
    /// Values that came.
    index: usize,
}

impl<'a> Top<'a> {
    pub(super) fn new(out: &'a mut PayloadWriter) -> Top<'a> {
        Top { out, index: 0 }
    }
}

/// The methods that a serializer of one value has and that of the top hands on.
macro_rules! scalars {
    ($($name:ident($($type:ty)?)),* $(,)?) => {
        $(fn $name(self $(, value: $type)?) -> Result<(), Error> {
            One::new(self.out, 0).$name($({ let value: $type = value; value })?)
        })*
    };
}

impl<'a> ser::Serializer for Top<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Top<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    scalars! {
        serialize_bool(bool), serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64), serialize_i128(i128),
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64), serialize_u128(u128),
        serialize_f32(f32), serialize_f64(f64), serialize_char(char), serialize_str(&str), serialize_bytes(&[u8]),
        serialize_none(), serialize_unit_struct(&'static str),
    }

    /// No value.
    fn serialize_unit(self) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit_variant(self, a: &'static str, b: u32, c: &'static str) -> Result<(), Error> {
        self.one().serialize_unit_variant(a, b, c)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.one().serialize_newtype_struct(name, value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        a: &'static str,
        b: u32,
        c: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.one().serialize_newtype_variant(a, b, c, value)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Compound<'a>, Error> {
        self.one().serialize_seq(len)
    }

    fn serialize_tuple(self, _: usize) -> Result<Top<'a>, Error> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, a: &'static str, len: usize) -> Result<Compound<'a>, Error> {
        self.one().serialize_tuple_struct(a, len)
    }

    fn serialize_tuple_variant(
        self,
        a: &'static str,
        b: u32,
        c: &'static str,
        len: usize,
    ) -> Result<Compound<'a>, Error> {
        self.one().serialize_tuple_variant(a, b, c, len)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Compound<'a>, Error> {
        self.one().serialize_map(len)
    }

    fn serialize_struct(self, a: &'static str, len: usize) -> Result<Compound<'a>, Error> {
        self.one().serialize_struct(a, len)
    }

    fn serialize_struct_variant(
        self,
        a: &'static str,
        b: u32,
        c: &'static str,
        len: usize,
    ) -> Result<Compound<'a>, Error> {
        self.one().serialize_struct_variant(a, b, c, len)
    }
}

impl<'a> Top<'a> {
    fn one(self) -> One<'a> {
        One::new(self.out, 0)
    }
}

impl ser::SerializeTuple for Top<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.index += 1;
        let one = One::new(self.out, 0);
        value
            .serialize(one)
            .map_err(|error| error.of(format_args!("value {}", self.index)))
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}
