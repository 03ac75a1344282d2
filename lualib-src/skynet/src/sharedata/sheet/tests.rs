use super::*;
use std::thread;

/// { "x", nil, 3; key1 = 1, ..., [-5] = 2.5, [2^40] = true, sub = { "y" } }
fn sample(keys: i64) -> Box<Sheet> {
    let mut draft = Draft::new(3).unwrap();
    let x = draft.text(b"x").unwrap();
    draft.set(0, Key::Integer(1), Value::Text(x)).unwrap();
    draft.set(0, Key::Integer(3), Value::Integer(3)).unwrap();
    for n in 1..=keys {
        let key = draft.text(format!("key{n}").as_bytes()).unwrap();
        draft.set(0, Key::Text(key), Value::Integer(n)).unwrap();
    }
    draft.set(0, Key::Integer(-5), Value::Real(2.5)).unwrap();
    draft
        .set(0, Key::Integer(1 << 40), Value::Boolean(true))
        .unwrap();
    let sub = draft.table(1).unwrap();
    let y = draft.text(b"y").unwrap();
    draft.set(sub, Key::Integer(1), Value::Text(y)).unwrap();
    let name = draft.text(b"sub").unwrap();
    draft.set(0, Key::Text(name), Value::Table(sub)).unwrap();
    draft.finish().unwrap()
}

fn root(sheet: &Sheet) -> &Table {
    // SAFETY: the table lives in the sheet.
    unsafe { &*sheet.root() }
}

fn check(sheet: &Sheet, keys: i64) {
    let table = root(sheet);
    for n in 1..=keys {
        let node = table
            .find_text(format!("key{n}").as_bytes())
            .expect("a key");
        assert!(matches!(table.value(node), Value::Integer(value) if value == n));
    }
    assert_eq!(table.find_text(b"key0"), None);
    assert_eq!(table.find_text(b""), None);
    let node = table.find_integer(-5).expect("a key");
    assert!(matches!(table.value(node), Value::Real(2.5)));
    assert!(table.find_integer(1 << 40).is_some());
    assert_eq!(table.find_integer(0), None);
    let node = table.find_text(b"sub").expect("a key");
    let Value::Table(number) = table.value(node) else {
        panic!("a table");
    };
    // SAFETY: the sheet is alive, and the number is one of its tables.
    let sub = unsafe { &*sheet.table(number) };
    // SAFETY: the sheet is alive.
    assert!(matches!(sub.array()[0], Value::Text(text) if unsafe { text.bytes() } == b"y"));
    assert!(std::ptr::eq(sub.sheet(), sheet));
    assert_eq!(sub.find_text(b"key1"), None);
}

#[test]
fn every_key_is_found_and_no_other() {
    for keys in [0, 1, 7, 1000] {
        let sheet = sample(keys);
        check(&sheet, keys);
        let table = root(&sheet);
        assert_eq!(table.array().len(), 3);
        assert!(matches!(table.array()[1], Value::Nil));
        assert_eq!(table.hashed(), keys as usize + 3);
        assert!(table.key(table.hashed() - 1).is_some());
        assert!(table.key(table.hashed()).is_none());
    }
}

#[test]
fn an_array_is_as_long_as_lua_says_unless_that_is_absurd() {
    let table = |length, keys: &[i64]| {
        let mut draft = Draft::new(length).unwrap();
        for key in keys {
            draft
                .set(0, Key::Integer(*key), Value::Integer(*key))
                .unwrap();
        }
        draft.finish().unwrap()
    };
    for (length, keys, array) in [
        (0, &[][..], 0),
        (3, &[1, 2, 3], 3),
        (3, &[3, 2, 1], 3),
        (4, &[1, 2, 4, 0], 4),
        (1 << 40, &[1, 2, 4, 8, 1 << 40], 2),
        (1 << 40, &[2, 1, 4, 3, 1 << 40, -1], 4),
    ] {
        let sheet = table(length, keys);
        let table = root(&sheet);
        assert_eq!(table.array().len(), array, "{keys:?}");
        for key in keys {
            let found = match table.array().get((*key as usize).wrapping_sub(1)) {
                Some(value) => *value,
                None => table.value(table.find_integer(*key).expect("a key")),
            };
            assert!(matches!(found, Value::Integer(value) if value == *key));
        }
    }
}

#[test]
fn threads_read_and_count_at_once_and_the_last_reference_is_seen() {
    const READERS: i32 = 4;
    let sheet: &Sheet = Box::leak(sample(200));
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            sheet.acquire();
            thread::spawn(move || {
                for _ in 0..50 {
                    sheet.acquire();
                    check(sheet, 200);
                    sheet.release();
                }
                while !sheet.is_dirty() {
                    thread::yield_now();
                }
                sheet.release();
            })
        })
        .collect();
    sheet.mark_dirty();
    while sheet.references() > 0 {
        thread::yield_now();
    }
    // SAFETY: leaked above; no reader is left.
    drop(unsafe { Box::from_raw(std::ptr::from_ref(sheet).cast_mut()) });
    for reader in readers {
        reader.join().unwrap();
    }
}
