//! Tables, from the bytes to Rust.

use serde_core::de::value::{StrDeserializer, StringDeserializer};
use serde_core::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde_core::forward_to_deserialize_any;

use super::de::{One, exact};
use super::error::{Error, Key};
use super::value::VALUE;
use super::wire::{Input, Token};

/// A table as pairs: the items under their numbers, then the others.
pub(super) struct Pairs<'a, 'de> {
    input: &'a mut Input<'de>,
    /// Tables around what is in it.
    depth: usize,
    items: usize,
    /// Items that were read.
    index: usize,
    /// The key of the current pair, and what follows; `None` for an item.
    key: Option<&'de [u8]>,
    /// The nil behind the last pair was read.
    ended: bool,
}

impl<'a, 'de> Pairs<'a, 'de> {
    pub(super) fn new(input: &'a mut Input<'de>, depth: usize, items: usize) -> Pairs<'a, 'de> {
        Pairs {
            input,
            depth,
            items,
            index: 0,
            key: None,
            ended: false,
        }
    }

    /// Whether another pair follows the items.
    fn more(&mut self) -> Result<bool, Error> {
        if !self.ended && self.input.is_nil() {
            self.input.token()?;
            self.ended = true;
        }
        Ok(!self.ended)
    }

    /// All of the table was read; else there is more than was asked for.
    pub(super) fn end(mut self) -> Result<(), Error> {
        if self.index < self.items || self.more()? {
            return Err(Error::custom(
                "the table has more items than were asked for",
            ));
        }
        Ok(())
    }

    /// No more than the bytes can hold, and no more than is harmless.
    fn hint(&self) -> usize {
        (self.items - self.index)
            .min(self.input.rest().len())
            .min(1024)
    }
}

impl<'de> MapAccess<'de> for Pairs<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        if self.index < self.items {
            self.index += 1;
            let key = Index(self.index as i64);
            return seed.deserialize(key).map(Some);
        }
        if !self.more()? {
            return Ok(None);
        }
        self.key = Some(self.input.rest());
        seed.deserialize(One::within(self.input, self.depth))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let result = seed.deserialize(One::within(self.input, self.depth));
        result.map_err(|error| match self.key {
            Some(key) => error.of(Key(key)),
            None => error.of(format_args!("item {}", self.index)),
        })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.hint())
    }
}

/// The number of an item as a key.
struct Index(i64);

impl<'de> Deserializer<'de> for Index {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i64(self.0)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        StringDeserializer::<Error>::new(self.0.to_string()).deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map struct enum ignored_any
    }
}

/// A table as the items 1..n, also when they are pairs, as those of a table with `__pairs` are.
pub(super) struct Items<'a, 'de> {
    pairs: Pairs<'a, 'de>,
    wanted: Option<usize>,
    given: usize,
}

impl<'a, 'de> Items<'a, 'de> {
    pub(super) fn new(pairs: Pairs<'a, 'de>, wanted: Option<usize>) -> Items<'a, 'de> {
        Items {
            pairs,
            wanted,
            given: 0,
        }
    }

    pub(super) fn end(self) -> Result<(), Error> {
        self.pairs.end()
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        self.given += 1;
        let pairs = &mut self.pairs;
        if pairs.index < pairs.items {
            pairs.index += 1;
            return pairs.next_value_seed(seed).map(Some);
        }
        if pairs.more()? {
            pairs.key = Some(pairs.input.rest());
            let key = One::within(pairs.input, pairs.depth).token()?;
            let number = match key {
                Token::Integer(number) => Some(number),
                Token::Float(number) => exact(number),
                _ => None,
            };
            if number != Some(self.given as i64) {
                let text = format!(
                    "a list has the keys 1..n and no others: {} is missing, or there is another key",
                    self.given
                );
                return Err(Error::Message(text));
            }
            return pairs.next_value_seed(seed).map(Some);
        }
        match self.wanted {
            // Lua drops what is nil at the end.
            Some(wanted) if self.given <= wanted => seed.deserialize(Missing(self.given)).map(Some),
            _ => Ok(None),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.pairs.hint())
    }
}

/// A value that is not there: nil, for who takes that. Its number among others, or [`CONTENT`].
pub(super) struct Missing(pub(super) usize);

/// What is in a variant.
const CONTENT: usize = 0;

impl Missing {
    fn error(&self, expected: &dyn Expected) -> Error {
        Error::Message(match self.0 {
            CONTENT => format!("a variant without what is in it: expected {expected}"),
            number => format!("value {number} is missing: expected {expected}"),
        })
    }
}

impl<'de> Deserializer<'de> for Missing {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        Err(self.error(&visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_none()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match name {
            VALUE => visitor.visit_unit(),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf seq tuple tuple_struct map struct
        enum identifier ignored_any
    }
}

/// The table `{Variant = content}`, behind its first byte.
pub(super) struct Variant<'a, 'de> {
    input: &'a mut Input<'de>,
    depth: usize,
}

impl<'a, 'de> Variant<'a, 'de> {
    pub(super) fn new(input: &'a mut Input<'de>, depth: usize) -> Variant<'a, 'de> {
        Variant { input, depth }
    }
}

impl<'a, 'de> EnumAccess<'de> for Variant<'a, 'de> {
    type Error = Error;
    type Variant = One<'a, 'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, One<'a, 'de>), Error> {
        let name = seed.deserialize(One::within(self.input, self.depth))?;
        Ok((name, One::within(self.input, self.depth)))
    }
}

impl<'de> VariantAccess<'de> for One<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Err(Error::custom("this variant has no content: it is a string"))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.list(Some(len), visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }
}

/// A variant that is a string: it has no content, or what is in it is nil.
pub(super) struct Named<'a>(pub(super) &'a str);

impl<'de> EnumAccess<'de> for Named<'_> {
    type Error = Error;
    type Variant = NoContent;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, NoContent), Error> {
        let name = seed.deserialize(StrDeserializer::<Error>::new(self.0))?;
        Ok((name, NoContent))
    }
}

/// What is in a variant that is a string.
pub(super) struct NoContent;

impl<'de> VariantAccess<'de> for NoContent {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(Missing(CONTENT))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        Err(Error::invalid_type(Unexpected::UnitVariant, &visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        Err(Error::invalid_type(Unexpected::UnitVariant, &visitor))
    }
}
