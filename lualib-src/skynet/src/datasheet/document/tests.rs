use super::*;

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// { 7, "b"; a = { 1.5, true } }
fn sample() -> Vec<u8> {
    let root = [
        words(&[2, 1]),
        vec![kind::INTEGER, kind::STRING, kind::TABLE, 0],
        words(&[7, 2, 0, 1]),
    ]
    .concat();
    let part = [
        words(&[2, 0]),
        vec![kind::REAL, kind::BOOLEAN, 0, 0],
        words(&[1.5f32.to_bits(), 1 << 24]),
    ]
    .concat();
    let strings = 16 + root.len() + part.len();
    let head = words(&[strings as u32, 2, 0, root.len() as u32]);
    [head, root, part, b"a\0b\0".to_vec()].concat()
}

fn document(bytes: &mut Vec<u8>) -> Document {
    check(bytes).unwrap();
    bytes.push(0);
    // SAFETY: checked, and a zero follows.
    unsafe { Document::at(bytes.as_ptr()) }
}

#[test]
fn values_are_found_where_the_format_says() {
    let mut bytes = sample();
    let document = document(&mut bytes);
    let root = document.table(0).unwrap();
    assert_eq!(root.value(0), Some(Value::Integer(7)));
    assert_eq!(root.value(1), Some(Value::String(c"b")));
    assert_eq!(root.value(2), None);
    assert_eq!(root.pair(0), Some((c"a", Value::Table(1))));
    assert_eq!(root.pair(1), None);
    let part = document.table(1).unwrap();
    assert_eq!(part.value(0), Some(Value::Real(1.5)));
    assert_eq!(part.value(1), Some(Value::Boolean(true)));
    assert!(document.table(2).is_none());
}

#[test]
fn a_table_may_be_missing() {
    let mut bytes = sample();
    bytes[12..16].fill(0xff);
    assert!(document(&mut bytes).table(1).is_none());
}

#[test]
fn a_document_that_is_cut_is_refused_or_still_readable() {
    let whole = sample();
    for len in 0..whole.len() {
        let mut bytes = whole[..len].to_vec();
        if check(&bytes).is_ok() {
            read_all(document(&mut bytes));
        } else {
            assert!(len < whole.len() - 1);
        }
    }
}

/// Reads everything, as a service could.
fn read_all(document: Document) -> usize {
    let mut length = 0;
    for table in (0..document.tables()).filter_map(|it| document.table(it)) {
        for value in (0..table.array()).filter_map(|it| table.value(it)) {
            if let Value::String(text) = value {
                length += text.count_bytes();
            }
        }
        for (key, _) in (0..table.pairs()).filter_map(|it| table.pair(it)) {
            length += key.count_bytes();
        }
    }
    length
}

#[test]
fn what_leads_out_of_the_document_is_refused() {
    let change = |at: usize, with: &[u8]| {
        let mut bytes = sample();
        bytes[at..at + with.len()].copy_from_slice(with);
        check(&bytes)
    };
    const FAR: [u8; 4] = [0xff, 0xff, 0xff, 0x7f];
    assert_eq!(check(&[]), Err(Invalid::Truncated));
    assert_eq!(change(4, &[0; 4]), Err(Invalid::Empty));
    assert_eq!(change(4, &FAR), Err(Invalid::Truncated));
    assert_eq!(change(8, &FAR), Err(Invalid::Truncated));
    assert_eq!(change(16, &FAR), Err(Invalid::Truncated));
    assert_eq!(change(24, &[9]), Err(Invalid::Kind(9)));
    assert_eq!(change(32, &FAR), Err(Invalid::String(0x7fff_ffff)));
    assert_eq!(change(40, &[2]), Err(Invalid::Table(2)));
    assert!(matches!(change(0, &FAR), Err(Invalid::String(_))));
    // The second table is the first one again, and again.
    let mut bytes = words(&[36, 3, 0, 0, 0, 1, 0]);
    bytes.extend([kind::INTEGER, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(check(&bytes), Err(Invalid::Overlap));
}
