//! Tables, from the bytes to Rust.

use serde_core::de::value::{StrDeserializer, StringDeserializer};
use serde_core::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde_core::forward_to_deserialize_any;
use std::cell::Cell;

use super::de::One;
use super::error::{Error, Key};
use super::readings::Field;
use super::string::LIGHT_USERDATA;
use super::value::VALUE;
use super::wire::Input;

/// What is wrong with a table of which something is left.
const MORE: &str = "the table has more items than were asked for";

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
    /// What this table is, while readings are sought.
    field: Field,
}

impl<'a, 'de> Pairs<'a, 'de> {
    pub(super) fn new(input: &'a mut Input<'de>, depth: usize, items: usize) -> Pairs<'a, 'de> {
        Pairs {
            depth,
            items,
            index: 0,
            key: None,
            ended: false,
            field: input.field,
            input,
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
            return Err(Error::custom(MORE));
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
        if self.field.is_sought() {
            self.input.field = self
                .key
                .map_or_else(|| self.field.item(), |key| self.field.under(key));
        }
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

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match name {
            LIGHT_USERDATA => Err(Error::invalid_type(Unexpected::Signed(self.0), &visitor)),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum ignored_any
    }
}

/// A table as the items 1..n, also when they are pairs, as those of a table with `__pairs` are, and those behind a nil: of `{1, nil, 3}` Lua's
/// length is 1, and the rest is pairs in any order.
pub(super) struct Items<'a, 'de> {
    pairs: Pairs<'a, 'de>,
    wanted: Option<usize>,
    given: usize,
    /// The numbers of the items that are left, and where they are, the last one first. Filled when a pair is not the one that is next.
    left: Vec<(i64, Input<'de>)>,
}

/// A list may have as many nils as items, or this many; all lists of a message together as many as it has bytes, and this many. They cost nothing
/// in a message, and memory here.
const HOLES: usize = 64;

thread_local! {
    static LEFT: Cell<usize> = const { Cell::new(0) };
}

/// The nils that the lists of a message may still have, while it is read.
pub(super) struct Holes {
    /// Those of a message that is being read further out.
    outer: usize,
}

impl Holes {
    pub(super) fn in_message(bytes: &[u8]) -> usize {
        bytes.len().saturating_add(HOLES)
    }

    #[inline]
    pub(super) fn of(left: usize) -> Holes {
        Holes {
            outer: LEFT.replace(left),
        }
    }

    #[inline]
    pub(super) fn left(&self) -> usize {
        LEFT.get()
    }

    fn take(holes: usize) -> bool {
        let left = LEFT.get().checked_sub(holes);
        left.inspect(|left| LEFT.set(*left)).is_some()
    }
}

impl Drop for Holes {
    #[inline]
    fn drop(&mut self) {
        LEFT.set(self.outer);
    }
}

impl<'a, 'de> Items<'a, 'de> {
    pub(super) fn new(pairs: Pairs<'a, 'de>, wanted: Option<usize>) -> Items<'a, 'de> {
        Items {
            pairs,
            wanted,
            given: 0,
            left: Vec::new(),
        }
    }

    pub(super) fn end(self) -> Result<(), Error> {
        if !self.left.is_empty() {
            return Err(Error::custom(MORE));
        }
        self.pairs.end()
    }

    /// Collects the pairs: the key of the first one is read already.
    #[cold]
    fn collect(&mut self, first: Option<i64>) -> Result<(), Error> {
        let (given, pairs) = (self.given, &mut self.pairs);
        let no_list =
            || Error::custom("a list has the keys 1..n and no others: there is another key");
        let mut number = first;
        loop {
            match number {
                Some(number) if number >= given as i64 => self.left.push((number, *pairs.input)),
                _ => return Err(no_list()),
            }
            One::within(pairs.input, pairs.depth).skip()?;
            if !pairs.more()? {
                break;
            }
            number = One::within(pairs.input, pairs.depth).token()?.index();
        }
        self.left
            .sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
        if self.left.windows(2).any(|two| two[0].0 == two[1].0) {
            return Err(no_list());
        }
        let items = given - 1 + self.left.len();
        let last = self.left.first().map_or(0, |(number, _)| *number);
        match usize::try_from(last) {
            Ok(last) if last - items <= items.max(HOLES) && Holes::take(last - items) => Ok(()),
            _ => Err(Error::Message(format!(
                "a list of {items} items, of which one is item {last}: that is a map"
            ))),
        }
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
            let number = One::within(pairs.input, pairs.depth).token()?.index();
            if number == Some(self.given as i64) {
                return pairs.next_value_seed(seed).map(Some);
            }
            self.collect(number)?;
        }
        if let Some((number, place)) = self.left.last_mut() {
            if *number > self.given as i64 {
                return seed.deserialize(Missing(self.given)).map(Some);
            }
            let mut here = Pairs::new(place, self.pairs.depth, self.given);
            here.index = self.given;
            here.field = self.pairs.field;
            let item = here.next_value_seed(seed).map(Some);
            self.left.pop();
            return item;
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

/// Methods for types that nil is none of.
macro_rules! typed {
    ($($name:ident)*) => {
        $(fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            Err(self.error(&visitor))
        })*
    };
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

    /// What takes whatever comes takes nil.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let error = self.error(&visitor);
        visitor.visit_unit().map_err(|_: Error| error)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_none()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        Err(self.error(&visitor))
    }

    typed! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_seq deserialize_map deserialize_identifier
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

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        Err(self.error(&visitor))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        Err(self.error(&visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        Err(self.error(&visitor))
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
