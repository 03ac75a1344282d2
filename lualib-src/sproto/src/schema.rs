//! Schemas: types, their fields, and protocols. They are read from the binary form that the schema compiler (`sprotoparser`)
//! writes, which is itself a message:
//!
//! ```text
//! .type     { .field { name 0 : string, builtin 1 : integer, type 2 : integer, tag 3 : integer,
//!                      array 4 : boolean, key 5 : integer, map 6 : boolean }
//!             name 0 : string, fields 1 : *field }
//! .protocol { name 0 : string, tag 1 : integer, request 2 : integer, response 3 : integer, confirm 4 : boolean }
//! .group    { type 0 : *type, protocol 1 : *protocol }
//! ```
//!
//! Once made, a schema never changes, so any number of services may use it at once.

use std::collections::HashMap;
use std::ffi::CString;
use std::ops::Deref;

use crate::wire::{Array, LENGTH, Words};

/// A schema. Pointers to it and its types are what Lua code has.
pub struct Schema {
    /// Never moved: fields point to them.
    pub types: Box<[Type]>,
    pub protocols: Box<[Protocol]>,
    type_names: HashMap<Box<[u8]>, usize>,
    protocol_names: HashMap<Box<[u8]>, usize>,
}

// SAFETY: the pointers in fields are to types of the same schema, and nothing changes.
unsafe impl Send for Schema {}
// SAFETY: nothing in a schema changes once it is made, so threads only read it.
unsafe impl Sync for Schema {}

/// A type: a struct of fields.
pub struct Type {
    magic: u64,
    pub name: CString,
    /// In the order of their tags.
    pub fields: Box<[Field]>,
    /// Words of a header with all fields: one for each field and for each gap between tags.
    pub words: usize,
    /// Tag of the first field if there is no gap.
    first: Option<i32>,
}

/// What tells a type from other things that Lua code may pass.
const MAGIC: u64 = 0x7370_726f_746f_5479;

/// A field of a [`Type`].
pub struct Field {
    pub tag: i32,
    pub name: CString,
    pub kind: Kind,
    pub is_array: bool,
    /// Tag of the field, in the elements of this array, whose value is the element's key in Lua.
    pub key: Option<i32>,
    /// The elements are pairs of a key and a value, the first two fields of their type.
    pub is_map: bool,
}

/// The type of a field, or of the elements of an array.
#[derive(Clone, Copy)]
pub enum Kind {
    Integer,
    /// A number as an integer, multiplied by this.
    Decimal(i32),
    Boolean,
    Text,
    /// Bytes; on the wire the same as text.
    Binary,
    Double,
    Struct(TypeRef),
}

/// A type of the schema that the field is of.
#[derive(Clone, Copy)]
pub struct TypeRef(*const Type);

impl Deref for TypeRef {
    type Target = Type;

    fn deref(&self) -> &Type {
        // SAFETY: it was set before the schema was there for others, whose types do not move; who has a field of it keeps the schema.
        unsafe { &*self.0 }
    }
}

/// A pair of messages.
pub struct Protocol {
    pub name: CString,
    pub tag: i32,
    pub request: Option<usize>,
    pub response: Option<usize>,
    /// There is a response even though it has no type.
    pub confirm: bool,
}

impl Type {
    /// Whether there is one at `place`.
    ///
    /// # Safety
    /// `place` is readable as a `u64` unless it is misaligned.
    pub unsafe fn is_at(place: *const Type) -> bool {
        // SAFETY: contract of this function.
        place.is_aligned() && unsafe { (&raw const (*place).magic).read() } == MAGIC
    }

    /// The field with this tag, and its place among the fields.
    #[inline(always)]
    pub fn field(&self, tag: i32) -> Option<(usize, &Field)> {
        let place = match self.first {
            Some(first) => usize::try_from(tag - first).ok()?,
            None => self
                .fields
                .binary_search_by_key(&tag, |field| field.tag)
                .ok()?,
        };
        Some((place, self.fields.get(place)?))
    }
}

impl Drop for Type {
    fn drop(&mut self) {
        self.magic = 0;
    }
}

impl Schema {
    /// `None`: the bytes are no schema.
    pub fn parse(bytes: &[u8]) -> Option<Box<Schema>> {
        let group = Words::of(bytes).filter(|_| bytes.len() >= LENGTH)?;
        if group.count() > 2 || !group.iter().all(|word| word == 0) {
            return None;
        }
        let mut content = group.data();
        let mut array = || match content.next() {
            Some(bytes) => Array::of(bytes).map(Array::elements),
            None => Some(Vec::new()),
        };
        let (types, protocols) = (array()?, array()?);
        let mut parsed = Vec::new();
        for bytes in &types {
            parsed.push(read_type(bytes, types.len())?);
        }
        let protocols = protocols
            .iter()
            .map(|bytes| read_protocol(bytes, types.len()))
            .collect::<Option<Box<[Protocol]>>>()?;
        let types = link(parsed)?;
        Some(Box::new(Schema {
            type_names: names(types.iter().map(|ty| &ty.name)),
            protocol_names: names(protocols.iter().map(|protocol| &protocol.name)),
            types,
            protocols,
        }))
    }

    pub fn type_named(&self, name: &[u8]) -> Option<&Type> {
        Some(&self.types[*self.type_names.get(name)?])
    }

    pub fn protocol_named(&self, name: &[u8]) -> Option<&Protocol> {
        Some(&self.protocols[*self.protocol_names.get(name)?])
    }

    /// They are in the order of their tags in every schema that the compiler makes.
    pub fn protocol(&self, tag: i32) -> Option<&Protocol> {
        let place = self
            .protocols
            .binary_search_by_key(&tag, |protocol| protocol.tag)
            .ok()?;
        Some(&self.protocols[place])
    }
}

/// Of two things with the same name the first is found.
fn names<'a>(list: impl Iterator<Item = &'a CString>) -> HashMap<Box<[u8]>, usize> {
    let mut places = HashMap::new();
    for (place, name) in list.enumerate() {
        places.entry(name.as_bytes().into()).or_insert(place);
    }
    places
}

/// A type whose structs are numbers of types so far.
struct Unlinked {
    name: CString,
    fields: Vec<(Field, Option<usize>)>,
}

fn link(parsed: Vec<Unlinked>) -> Option<Box<[Type]>> {
    let mut structs = Vec::new();
    let mut types: Box<[Type]> = parsed
        .into_iter()
        .map(|ty| {
            let (fields, refers): (Vec<Field>, Vec<Option<usize>>) = ty.fields.into_iter().unzip();
            structs.push(refers);
            finish(ty.name, fields)
        })
        .collect();
    let base = types.as_ptr();
    let sizes: Vec<usize> = types.iter().map(|ty| ty.fields.len()).collect();
    for (ty, refers) in types.iter_mut().zip(structs) {
        for (field, refer) in ty.fields.iter_mut().zip(refers) {
            if let Some(place) = refer {
                // SAFETY: `place` is one of the types, which will not move any more.
                field.kind = Kind::Struct(TypeRef(unsafe { base.add(place) }));
            }
            field.is_map &= field.is_array && field.key.is_some();
            // A pair has a key and a value.
            if field.is_map && refer.is_none_or(|place| sizes[place] < 2) {
                return None;
            }
        }
    }
    Some(types)
}

fn finish(name: CString, fields: Vec<Field>) -> Type {
    let mut words = fields.len();
    let mut expected = 0;
    for field in &fields {
        words += usize::from(field.tag > expected);
        expected = field.tag + 1;
    }
    let first = fields.first().map(|field| field.tag);
    let has_gap = first.is_some_and(|first| first + fields.len() as i32 != expected);
    Type {
        magic: MAGIC,
        name,
        fields: fields.into(),
        words,
        first: first.filter(|_| !has_gap),
    }
}

fn read_type(bytes: &[u8], types: usize) -> Option<Unlinked> {
    let words = Words::of(bytes)?;
    if !(1..=2).contains(&words.count()) || !words.iter().all(|word| word == 0) {
        return None;
    }
    let mut data = words.data();
    let name = text(data.next()?);
    let mut fields = Vec::new();
    if let Some(bytes) = data.next() {
        let mut last = -1;
        for bytes in Array::of(bytes)?.elements() {
            let (field, refer) = read_field(bytes, types)?;
            if field.tag <= last {
                return None;
            }
            last = field.tag;
            fields.push((field, refer));
        }
    }
    Some(Unlinked { name, fields })
}

fn read_field(bytes: &[u8], types: usize) -> Option<(Field, Option<usize>)> {
    let words = Words::of(bytes)?;
    let mut name = None;
    let (mut kind, mut refer, mut number) = (None, None, None);
    let (mut is_array, mut key, mut is_map) = (false, None, false);
    let mut tag = -1;
    for word in words.iter() {
        tag += 1;
        if word & 1 != 0 {
            tag += i32::from(word / 2);
            continue;
        }
        if tag == 0 {
            name = Some(text((word == 0).then(|| words.data().next())??));
            continue;
        }
        let value = i32::from(word / 2) - 1;
        if value < 0 {
            return None;
        }
        match tag {
            1 => {
                kind = Some(match value {
                    0 => Kind::Integer,
                    1 => Kind::Boolean,
                    2 => Kind::Text,
                    3 => Kind::Double,
                    _ => return None,
                });
            }
            2 => match kind {
                // Digits after the point. A factor of 0 is what is left of very many.
                Some(Kind::Integer) => match 10i32.wrapping_pow(value as u32) {
                    0 => {}
                    factor => kind = Some(Kind::Decimal(factor)),
                },
                Some(Kind::Text) => {
                    if value == 1 {
                        kind = Some(Kind::Binary);
                    }
                }
                None => {
                    let place = usize::try_from(value).ok().filter(|&place| place < types)?;
                    refer = Some(place);
                    kind = Some(Kind::Struct(TypeRef(std::ptr::null())));
                }
                Some(_) => return None,
            },
            3 => number = Some(value),
            4 => is_array = value != 0,
            5 => key = Some(value),
            6 => is_map = value != 0,
            _ => return None,
        }
    }
    let field = Field {
        tag: number?,
        name: name?,
        kind: kind?,
        is_array,
        key,
        is_map,
    };
    Some((field, refer))
}

/// The compiler writes a word for each of the fields, so the place of a word is its tag.
fn read_protocol(bytes: &[u8], types: usize) -> Option<Protocol> {
    let words = Words::of(bytes)?;
    let mut name = None;
    let mut number = None;
    let (mut messages, mut confirm) = ([None; 2], false);
    for (place, word) in words.iter().enumerate() {
        if word & 1 != 0 {
            continue;
        }
        let value = usize::from(word / 2).checked_sub(1);
        match place {
            0 => {
                if value.is_some() {
                    return None;
                }
                name = Some(text(words.data().next()?));
            }
            1 => number = Some(value?),
            2 | 3 => messages[place - 2] = Some(value.filter(|&value| value < types)?),
            4 => confirm = value != Some(0),
            _ => return None,
        }
    }
    let [request, response] = messages;
    Some(Protocol {
        name: name?,
        tag: number? as i32,
        request,
        response,
        confirm,
    })
}

/// A name ends at a zero, should it have one.
fn text(bytes: &[u8]) -> CString {
    let end = bytes.iter().position(|&byte| byte == 0);
    CString::new(&bytes[..end.unwrap_or(bytes.len())]).unwrap_or_default()
}
