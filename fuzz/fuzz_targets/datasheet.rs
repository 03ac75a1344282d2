//! `skynet.datasheet.core`: documents. What is accepted can be read to the end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skynet_luaclib::datasheet::document::{Document, Value, check};

fn is_readable(document: Document, value: Value<'_>) {
    match value {
        Value::Table(number) => assert!(number < document.tables()),
        Value::String(text) => {
            std::hint::black_box(text.to_bytes());
        }
        _ => {}
    }
}

fuzz_target!(|data: &[u8]| {
    if check(data).is_err() {
        return;
    }
    // As in Lua: a zero follows.
    let bytes = [data, &[0]].concat();
    // SAFETY: checked, and a zero follows.
    let document = unsafe { Document::at(bytes.as_ptr()) };
    for table in (0..document.tables()).filter_map(|it| document.table(it)) {
        for value in (0..table.array()).filter_map(|it| table.value(it)) {
            is_readable(document, value);
        }
        // All strings may be one long one.
        for (key, value) in (0..table.pairs().min(64)).filter_map(|it| table.pair(it)) {
            is_readable(document, Value::String(key));
            is_readable(document, value);
        }
    }
});
