//! The types of elements (bsonspec.org, version 1.1), as numbers in a document and in the strings that stand for the
//! values which Lua has no type for.

pub const REAL: u8 = 1;
pub const STRING: u8 = 2;
pub const DOCUMENT: u8 = 3;
pub const ARRAY: u8 = 4;
pub const BINARY: u8 = 5;
/// Deprecated: no value.
pub const UNDEFINED: u8 = 6;
pub const OBJECT_ID: u8 = 7;
pub const BOOLEAN: u8 = 8;
pub const DATE: u8 = 9;
pub const NULL: u8 = 10;
pub const REGEX: u8 = 11;
/// Deprecated: a string and an object id.
pub const DB_POINTER: u8 = 12;
pub const JAVASCRIPT: u8 = 13;
/// Deprecated: a string.
pub const SYMBOL: u8 = 14;
/// Deprecated: a length, a string and a document.
pub const SCOPED_JAVASCRIPT: u8 = 15;
pub const INT32: u8 = 16;
pub const TIMESTAMP: u8 = 17;
pub const INT64: u8 = 18;
pub const DECIMAL128: u8 = 19;
pub const MAX_KEY: u8 = 127;
pub const MIN_KEY: u8 = 255;
