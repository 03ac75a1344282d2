//! The values of a message, from the bytes to Rust.

use serde_core::de::value::UnitDeserializer;
use serde_core::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};

use super::de::One;
use super::error::Error;
use super::readings::Field;
use super::table::Missing;
use super::wire::Input;

/// Methods of the top that are those of one value.
macro_rules! one_value {
    ($($name:ident)*) => {
        $(fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            One::or_nil(self.input).$name(visitor)
        })*
    };
}

/// The values of a message.
pub(super) struct Top<'a, 'de> {
    pub(super) input: &'a mut Input<'de>,
}

/// The values of a message as the parameters of a function.
struct Parameters<'a, 'de> {
    input: &'a mut Input<'de>,
    index: usize,
    field: Field,
}

impl<'de> SeqAccess<'de> for Parameters<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        self.index += 1;
        if self.input.is_empty() {
            return seed.deserialize(Missing(self.index)).map(Some);
        }
        if self.field.is_sought() {
            self.field = self.field.item();
            self.input.field = self.field;
        }
        let result = seed.deserialize(One::within(self.input, 0)).map(Some);
        result.map_err(|error| error.of(format_args!("value {}", self.index)))
    }
}

impl<'de> Deserializer<'de> for Top<'_, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        One::or_nil(self.input).deserialize_any(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Parameters {
            index: 0,
            field: self.input.field,
            input: self.input,
        })
    }

    /// Whatever it is.
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        UnitDeserializer::<Error>::new().deserialize_unit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.input.is_empty() || self.input.is_nil() {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        One::or_nil(self.input).deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        One::or_nil(self.input).deserialize_enum(name, variants, visitor)
    }

    one_value! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_seq deserialize_map deserialize_identifier
        deserialize_ignored_any
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        One::or_nil(self.input).deserialize_unit_struct(name, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        One::or_nil(self.input).deserialize_tuple_struct(name, len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        One::or_nil(self.input).deserialize_struct(name, fields, visitor)
    }
}
