//! Where in a text something is, in the words of error messages.

/// Line and column of the byte at `at`, both from 1. A column counts bytes, as `character` in messages does.
pub fn line_and_column(text: &[u8], at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let lines = before.iter().filter(|&&byte| byte == b'\n').count();
    let start = before
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |newline| newline + 1);
    (lines + 1, before.len() - start + 1)
}

#[cfg(test)]
mod tests {
    use super::line_and_column;

    #[test]
    fn lines_and_columns_count_from_one() {
        assert_eq!(line_and_column(b"", 0), (1, 1));
        assert_eq!(line_and_column(b"abc", 3), (1, 4));
        assert_eq!(line_and_column(b"a\nbc", 2), (2, 1));
        assert_eq!(line_and_column(b"a\n\nbc", 4), (3, 2));
        assert_eq!(line_and_column(b"a\n", 9), (2, 1));
    }
}
