//! Which file an address belongs to, from `/proc/self/maps`: system calls only, where the dynamic linker would take a lock.

use super::text::Text;

/// Longest line that is understood; the path of a longer one is cut.
const LINE: usize = 1024;

/// One mapping.
struct Mapping<'a> {
    start: usize,
    end: usize,
    offset: usize,
    path: &'a [u8],
}

fn hex(text: &[u8]) -> usize {
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or(0) as usize;
    text.iter()
        .fold(0, |number: usize, &byte| number << 4 | digit(byte))
}

/// `start-end flags offset device inode   path`
fn parse(line: &[u8]) -> Option<Mapping<'_>> {
    let mut words = line.splitn(6, |&byte| byte == b' ');
    let range = words.next()?;
    let dash = range.iter().position(|&byte| byte == b'-')?;
    let offset = words.nth(1)?;
    let path = words.nth(2).unwrap_or(b"").trim_ascii();
    Some(Mapping {
        start: hex(&range[..dash]),
        end: hex(&range[dash + 1..]),
        offset: hex(offset),
        path,
    })
}

/// Calls `each` with every line of the file.
fn lines(mut each: impl FnMut(&[u8])) {
    // SAFETY: a C string.
    let file = unsafe {
        libc::open(
            c"/proc/self/maps".as_ptr(),
            libc::O_RDONLY | libc::O_CLOEXEC,
        )
    };
    if file < 0 {
        return;
    }
    let mut buffer = [0u8; LINE];
    let mut len = 0;
    let mut line = [0u8; LINE];
    loop {
        // SAFETY: room for so many bytes.
        let n = unsafe { libc::read(file, buffer.as_mut_ptr().cast(), LINE) };
        if n <= 0 {
            break;
        }
        for &byte in &buffer[..n as usize] {
            if byte == b'\n' {
                each(&line[..len]);
                len = 0;
            } else if len < LINE {
                line[len] = byte;
                len += 1;
            }
        }
    }
    // SAFETY: opened above.
    unsafe { libc::close(file) };
}

/// Most addresses that are looked up in one go.
pub(super) const ADDRESSES: usize = 64;

/// Writes each address with the file that it lies in and the place there, as `addr2line -e FILE PLACE` wants it.
pub(super) fn write(addresses: &[usize], to: &[libc::c_int]) {
    let mut before = 0;
    // The file is read once for each: its lines do not fit anywhere, and speed does not matter here.
    for (number, &address) in addresses.iter().take(ADDRESSES).enumerate() {
        // A recursion without end has one line for all its calls.
        if std::mem::replace(&mut before, address) == address {
            continue;
        }
        let mut text = Text::new();
        text.put(b"  #")
            .number(number as i64)
            .put(b" 0x")
            .hex(address, 12);
        place(&mut text, address);
        text.put(b"\n").flush(to);
    }
}

/// Adds ` in FILE+0xPLACE`.
pub(super) fn place(text: &mut Text, address: usize) {
    let mut base = 0;
    let mut found = false;
    lines(|line| {
        let Some(mapping) = parse(line) else { return };
        // The first mapping of a file is where it was loaded.
        if mapping.offset == 0 && mapping.path.first() == Some(&b'/') {
            base = mapping.start;
        }
        if !found && (mapping.start..mapping.end).contains(&address) {
            found = true;
            text.put(b" in ");
            match mapping.path {
                b"" => text.put(b"memory without a file"),
                path if path[0] == b'/' => text.put(path).put(b"+0x").hex(address - base, 1),
                path => text.put(path),
            };
        }
    });
    if !found {
        text.put(b" (nothing is there)");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_map_are_understood() {
        let line = b"7f01a000-7f01b000 r-xp 00002000 08:01 1234                       /opt/a b.so";
        let mapping = parse(line).unwrap();
        assert_eq!(
            (mapping.start, mapping.end, mapping.offset),
            (0x7f01_a000, 0x7f01_b000, 0x2000)
        );
        assert_eq!(mapping.path, b"/opt/a b.so");
        assert_eq!(
            parse(b"1000-2000 rw-p 00000000 00:00 0 ").unwrap().path,
            b""
        );
        assert!(parse(b"nonsense").is_none());
    }

    #[test]
    fn an_own_function_is_in_this_file() {
        let mut text = Text::new();
        place(&mut text, an_own_function_is_in_this_file as fn() as usize);
        let text = String::from_utf8_lossy(text.bytes()).into_owned();
        let exe = std::env::current_exe().unwrap();
        assert!(
            text.starts_with(&format!(" in {}+0x", exe.display())),
            "{text}"
        );
        let mut text = Text::new();
        place(&mut text, 8);
        assert_eq!(text.bytes(), b" (nothing is there)");
    }
}
