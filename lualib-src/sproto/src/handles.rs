//! Schemas as Lua code has them: pointers. All that exist are known, so another pointer is an error and not a crash.

use std::collections::HashSet;
use std::ffi::{CStr, c_int};
use std::fmt::Write as _;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mlua_sys::{LUA_TNUMBER, lua_Integer};
use skynet_support::State;

use crate::schema::{Kind, Protocol, Schema, Type};

/// Places for schemas that all services of the process may load.
static SLOTS: [AtomicPtr<Schema>; 16] = [const { AtomicPtr::new(ptr::null_mut()) }; 16];

/// Addresses of the schemas that exist. No error is raised while it is locked.
fn living() -> MutexGuard<'static, Option<HashSet<usize>>> {
    static LIVING: Mutex<Option<HashSet<usize>>> = Mutex::new(None);
    // Nothing panics with the lock, and the set would be sound if it did.
    LIVING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lives(schema: *const Schema) -> bool {
    let living = living();
    living
        .as_ref()
        .is_some_and(|living| living.contains(&schema.addr()))
}

/// A new schema, or null if the bytes are none.
fn create(bytes: &[u8]) -> *mut Schema {
    let Some(schema) = Schema::parse(bytes) else {
        return ptr::null_mut();
    };
    let schema = Box::into_raw(schema);
    living().get_or_insert_default().insert(schema.addr());
    schema
}

/// Frees a schema. One that is in a slot stays: other services may use it.
fn delete(schema: *mut Schema) {
    let slotted = SLOTS
        .iter()
        .any(|slot| slot.load(Ordering::Acquire) == schema);
    let mut living = living();
    if !slotted
        && living
            .as_mut()
            .is_some_and(|living| living.remove(&schema.addr()))
    {
        // SAFETY: it came from a box, and is given up here only.
        drop(unsafe { Box::from_raw(schema) });
    }
}

/// The schema at argument 1.
fn check_schema<'a>(state: State<'a>, otherwise: &CStr) -> &'a Schema {
    let schema: *const Schema = state.to_userdata(1).cast();
    if schema.is_null() || !lives(schema) {
        state.argument_error(1, otherwise);
    }
    // SAFETY: one that lives; whose user does not delete it while a function runs.
    unsafe { &*schema }
}

/// `newproto(bytes)`: a schema from what the schema compiler has written; nothing if it is none.
pub fn newproto(state: State<'_>) -> c_int {
    let bytes = state.check_bytes(1);
    let schema = create(bytes);
    if schema.is_null() {
        return 0;
    }
    state.push_light(schema);
    1
}

/// `deleteproto(schema)`: frees it with its types, unless it was saved.
pub fn deleteproto(state: State<'_>) -> c_int {
    let schema = check_schema(state, c"Need a sproto object");
    delete(ptr::from_ref(schema).cast_mut());
    0
}

/// `querytype(schema, name)`: the type; nothing if there is none of this name.
pub fn querytype(state: State<'_>) -> c_int {
    let schema = check_schema(state, c"Need a sproto object");
    let name = state.check_bytes(2);
    let Some(ty) = schema.type_named(name) else {
        return 0;
    };
    push_type(state, ty);
    1
}

fn push_type(state: State<'_>, ty: &Type) {
    state.push_light(ptr::from_ref(ty));
}

/// `protocol(schema, tag or name)`: its name or tag, the other one of the two, the type of the request or nil, the type of
/// the response or nil, or a null pointer for a response without content. Nothing if there is no such protocol.
pub fn protocol(state: State<'_>) -> c_int {
    let schema = check_schema(state, c"Need a sproto_type object");
    let protocol: &Protocol = if state.kind(2) == LUA_TNUMBER {
        let tag = state.to_integer(2) as i32;
        let Some(protocol) = schema.protocol(tag) else {
            return 0;
        };
        state.push_text(&protocol.name);
        protocol
    } else {
        let Some(name) = state.to_bytes(2) else {
            state.argument_error(2, c"Should be number or string");
        };
        let Some(protocol) = schema.protocol_named(name) else {
            return 0;
        };
        state.push_integer(protocol.tag.into());
        protocol
    };
    match protocol.request {
        Some(place) => push_type(state, &schema.types[place]),
        None => state.push_nil(),
    }
    match protocol.response {
        Some(place) => push_type(state, &schema.types[place]),
        None if protocol.confirm => state.push_light(ptr::null::<Type>()),
        None => state.push_nil(),
    }
    3
}

/// The slot with the number at argument `index`, 0 unless it is given.
fn check_slot(state: State<'_>, index: c_int) -> (lua_Integer, &'static AtomicPtr<Schema>) {
    let number = state.opt_integer(index, 0);
    match usize::try_from(number)
        .ok()
        .and_then(|number| SLOTS.get(number))
    {
        Some(slot) => (number, slot),
        None => state.error_with(format_args!(
            "Invalid global slot index {}",
            number as c_int
        )),
    }
}

/// `saveproto(schema [, slot])`: lets all services load it, from slot 0 to 15, and keeps it for ever. nil empties the slot;
/// a schema that was there is kept too, as there may be services that have loaded it.
pub fn saveproto(state: State<'_>) -> c_int {
    let (_, slot) = check_slot(state, 2);
    let schema: *mut Schema = state.to_userdata(1).cast();
    if !schema.is_null() {
        check_schema(state, c"Need a sproto object");
    }
    slot.store(schema, Ordering::Release);
    0
}

/// `loadproto([slot])`: the schema that was saved there. Raises an error if there is none.
pub fn loadproto(state: State<'_>) -> c_int {
    let (number, slot) = check_slot(state, 1);
    let schema = slot.load(Ordering::Acquire);
    if schema.is_null() {
        state.error_with(format_args!("nil sproto at index {number}"));
    }
    state.push_light(schema);
    1
}

/// `dumpproto(schema)`: prints its types and protocols.
pub fn dumpproto(state: State<'_>) -> c_int {
    let schema = check_schema(state, c"Need a sproto_type object");
    let text = describe(schema);
    // SAFETY: so many bytes are there.
    unsafe { libc::printf(c"%.*s".as_ptr(), text.len() as c_int, text.as_ptr()) };
    0
}

fn describe(schema: &Schema) -> String {
    let mut text = format!("=== {} types ===\n", schema.types.len());
    // Writing to a string does not fail.
    let _ = describe_types(schema, &mut text);
    let _ = describe_protocols(schema, &mut text);
    text
}

fn describe_types(schema: &Schema, text: &mut String) -> std::fmt::Result {
    for ty in &schema.types {
        writeln!(text, "{}", ty.name.to_string_lossy())?;
        for field in &ty.fields {
            let kind = match field.kind {
                Kind::Integer => "integer".into(),
                Kind::Decimal(_) => "decimal".into(),
                Kind::Boolean => "boolean".into(),
                Kind::Text => "string".into(),
                Kind::Binary => "binary".into(),
                Kind::Double => "double".into(),
                Kind::Struct(ref ty) => ty.name.to_string_lossy(),
            };
            let star = if field.is_array { "*" } else { "" };
            let name = field.name.to_string_lossy();
            write!(text, "\t{name} ({}) {star}{kind}", field.tag)?;
            if let Kind::Decimal(factor @ 1..) = field.kind {
                write!(text, "({factor})")?;
            }
            if let Some(key) = field.key {
                write!(text, " key[{key}]")?;
                if let (true, Kind::Struct(ty)) = (field.is_map, field.kind) {
                    write!(text, " value[{}]", ty.fields[1].tag)?;
                }
            }
            text.push('\n');
        }
    }
    Ok(())
}

fn describe_protocols(schema: &Schema, text: &mut String) -> std::fmt::Result {
    writeln!(text, "=== {} protocol ===", schema.protocols.len())?;
    for protocol in &schema.protocols {
        let name = protocol.name.to_string_lossy();
        let named = |place: usize| schema.types[place].name.to_string_lossy();
        let request = protocol.request.map_or("(null)".into(), named);
        write!(text, "\t{name} ({}) request:{request}", protocol.tag)?;
        if let Some(place) = protocol.response {
            write!(text, " response:{}", named(place))?;
        } else if protocol.confirm {
            write!(text, " response nil")?;
        }
        text.push('\n');
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &[u8] = include_bytes!("../../../fuzz/data/all.spb");

    #[test]
    fn services_create_and_delete_schemas_at_once() {
        std::thread::scope(|scope| {
            for slot in &SLOTS[..4] {
                scope.spawn(move || {
                    for round in 0..200 {
                        let schema = create(SCHEMA);
                        assert!(lives(schema));
                        if round == 100 {
                            slot.store(schema, Ordering::Release);
                        }
                        delete(schema);
                    }
                });
            }
        });
        for slot in &SLOTS[..4] {
            let saved = slot.load(Ordering::Acquire);
            // SAFETY: a schema in a slot stays.
            let schema = unsafe { &*saved };
            let ty = schema.type_named(b"All").expect("a type of the schema");
            assert_eq!(ty.field(300).map(|(place, _)| place), Some(16));
            assert!(schema.type_named(b"None").is_none());
            assert!(lives(schema));
        }
    }

    #[test]
    fn a_schema_is_described_in_full() {
        let schema = Schema::parse(SCHEMA).expect("a schema");
        let text = describe(&schema);
        for line in [
            "=== 2 types ===",
            "All",
            "\tf (4) decimal(100)",
            "\traw (5) binary",
            "\tbyid (14) *All key[0]",
            "\tmap (16) *Pair key[0] value[1]",
            "=== 0 protocol ===",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
