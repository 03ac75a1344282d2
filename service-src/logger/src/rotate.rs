//! Rotation: a file that has become too large, or is of another day, gets the time in its name, and a new one begins.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// When the file changes, and how many old ones stay.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes; 0: of any size.
    pub size: u64,
    /// Every day has a file of its own.
    pub daily: bool,
    /// Old files that stay; 0: all.
    pub keep: usize,
}

/// The file that is written.
#[derive(Debug, Default)]
pub struct Current {
    bytes: u64,
    day: Option<i64>,
}

impl Current {
    /// A file as it is found: `day` is that of its last change.
    pub fn of(found: io::Result<fs::Metadata>, day: impl Fn(libc::time_t) -> i64) -> Current {
        use std::os::unix::fs::MetadataExt;
        match found {
            Ok(found) if found.is_file() && found.len() > 0 => Current {
                bytes: found.len(),
                day: Some(day(found.mtime())),
            },
            _ => Current::default(),
        }
    }

    /// `bytes` more were written.
    pub fn wrote(&mut self, bytes: usize, day: i64) {
        self.bytes += bytes as u64;
        self.day = Some(day);
    }

    /// Whether `bytes` more, on that day, belong into a new file. An empty file is never left.
    pub fn is_full(&self, rotation: &Rotation, bytes: usize, day: i64) -> bool {
        let large = rotation.size > 0 && self.bytes + bytes as u64 > rotation.size;
        let old = rotation.daily && self.day.is_some_and(|of| of != day);
        self.bytes > 0 && (large || old)
    }
}

/// A number of bytes: digits, and perhaps `k`, `m` or `g`. (Lua writes a number that is no integer with `.0`.)
pub fn size(text: &str) -> Option<u64> {
    let text = text.trim().strip_suffix(".0").unwrap_or(text.trim());
    let (digits, shift) = match text.as_bytes().split_last()?.0 {
        b'k' | b'K' => (&text[..text.len() - 1], 10),
        b'm' | b'M' => (&text[..text.len() - 1], 20),
        b'g' | b'G' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: u64 = digits.parse().ok()?;
    number.checked_mul(1 << shift)
}

/// Where the file of a log lies: a name may be that of a symbolic link, which stays. None: there is nothing of this name, because
/// somebody else has moved it. What is no regular file, such as a device or a pipe, cannot be rotated: others use it, too.
pub fn place(path: &Path) -> io::Result<Option<PathBuf>> {
    let found = fs::canonicalize(path).and_then(|real| Ok((fs::metadata(&real)?, real)));
    match found {
        Ok((found, real)) if found.is_file() => Ok(Some(real)),
        Ok(_) => Err(io::Error::other("it is no regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Renames the file: `stamp` (`20261129-213000`) is put behind its name, and a number if there is such a file already. That there
/// is none of its name, because somebody else has moved it, is no error: a new one is to begin in any case.
pub fn rename(path: &Path, stamp: &str) -> io::Result<()> {
    let with = |more: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(".");
        name.push(stamp);
        name.push(more);
        PathBuf::from(name)
    };
    let mut old = with("");
    let mut number = 1;
    while fs::symlink_metadata(&old).is_ok() {
        number += 1;
        old = with(&format!(".{number:03}"));
    }
    match fs::rename(path, old) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Removes the oldest of the old files, all but `keep` (0: none of them). One that cannot be removed does not keep the others;
/// the error is that of the first such.
pub fn remove_all_but(path: &Path, keep: usize) -> Result<(), (PathBuf, io::Error)> {
    if keep == 0 {
        return Ok(());
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let Some(name) = path.file_name() else {
        return Ok(());
    };
    let mut old: Vec<_> = fs::read_dir(folder)
        .map_err(|error| (folder.to_owned(), error))?
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .filter(|other| is_old(other.as_bytes(), name.as_bytes()))
        .collect();
    // Of one second, those with more digits are younger.
    old.sort_unstable_by(|a, b| {
        let stamp = name.len() + ".20261129-213000".len();
        let key = |of: &OsString| (of.as_bytes()[..stamp].to_owned(), of.len());
        key(a).cmp(&key(b)).then_with(|| a.cmp(b))
    });
    let many = old.len().saturating_sub(keep);
    let mut done = Ok(());
    for other in &old[..many] {
        let other = folder.join(other);
        match fs::remove_file(&other) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                done = done.and(Err((other, error)));
            }
            _ => {}
        }
    }
    done
}

/// Whether a file has been named by [`rename`] after one of that name, which need not be UTF-8.
fn is_old(other: &[u8], name: &[u8]) -> bool {
    let rest = other
        .strip_prefix(name)
        .and_then(|rest| str::from_utf8(rest.strip_prefix(b".")?).ok());
    let Some((stamp, number)) =
        rest.and_then(|rest| rest.split_at_checked("20261129-213000".len()))
    else {
        return false;
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_stamp = stamp
        .split_once('-')
        .is_some_and(|(day, time)| day.len() == 8 && digits(day) && digits(time));
    is_stamp && (number.is_empty() || number.strip_prefix('.').is_some_and(digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_may_have_a_unit() {
        for (text, bytes) in [
            ("1500", Some(1500)),
            ("3k", Some(3 << 10)),
            ("10M", Some(10 << 20)),
            ("2g", Some(2 << 30)),
            ("7.0", Some(7)),
            ("", None),
            ("x", None),
            ("-1", None),
            ("99999999999g", None),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
    }

    #[test]
    fn a_file_is_full_by_its_size_or_its_day_and_never_when_it_is_empty() {
        let mut current = Current::default();
        let by_size = Rotation {
            size: 100,
            ..Rotation::default()
        };
        let by_day = Rotation {
            daily: true,
            ..Rotation::default()
        };
        assert!(!current.is_full(&by_size, 1000, 1));
        assert!(!current.is_full(&by_day, 1, 2));
        current.wrote(60, 1);
        assert!(!current.is_full(&by_size, 40, 1));
        assert!(current.is_full(&by_size, 41, 1));
        assert!(!current.is_full(&by_day, 41, 1));
        assert!(current.is_full(&by_day, 1, 2));
        assert!(!current.is_full(&Rotation::default(), 1000, 2));
    }

    #[test]
    fn old_files_have_the_time_in_their_names_and_only_so_many_stay() -> io::Result<()> {
        let folder = std::env::temp_dir().join(format!("skynet-rotate-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder)?;
        let path = folder.join("node.log");
        for other in [
            "node.log.gz",
            "node.log.20261129",
            "other.log.20260101-000000",
        ] {
            fs::write(folder.join(other), "stays")?;
        }
        for (stamp, text) in [
            ("20260101-000000", "1"),
            ("20260102-000000", "2"),
            ("20260102-000000", "3"),
            ("20260103-000000", "4"),
        ] {
            fs::write(&path, text)?;
            rename(&path, stamp)?;
            remove_all_but(&path, 3).map_err(|(_, error)| error)?;
        }
        let mut names: Vec<_> = fs::read_dir(&folder)?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        let expected = [
            "node.log.20260102-000000",
            "node.log.20260102-000000.002",
            "node.log.20260103-000000",
            "node.log.20261129",
            "node.log.gz",
            "other.log.20260101-000000",
        ];
        assert_eq!(names, expected);
        assert_eq!(fs::read_to_string(folder.join(expected[1]))?, "3");
        fs::remove_dir_all(folder)
    }

    fn folder(name: &str) -> io::Result<PathBuf> {
        let folder = std::env::temp_dir().join(format!("skynet-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder)?;
        fs::canonicalize(folder)
    }

    #[test]
    fn only_regular_files_are_rotated_and_links_stay() -> io::Result<()> {
        let folder = folder("rotate-place")?;
        let (file, link) = (folder.join("file"), folder.join("link"));
        std::os::unix::fs::symlink(&file, &link)?;
        assert_eq!(place(&link)?, None, "it leads nowhere yet");
        fs::write(&file, "x")?;
        assert_eq!(place(&link)?, Some(file.clone()));
        assert_eq!(place(&file)?, Some(file));
        for other in [Path::new("/dev/null"), &folder] {
            assert!(place(other).is_err(), "{}", other.display());
        }
        fs::remove_dir_all(folder)
    }

    #[test]
    fn of_many_files_of_a_second_the_first_go_first() -> io::Result<()> {
        let folder = folder("rotate-many")?;
        let path = folder.join(std::ffi::OsStr::from_bytes(b"node\xff.log"));
        let old = |number: &str| {
            let mut name = path.clone().into_os_string();
            name.push(".20260101-000000");
            name.push(number);
            PathBuf::from(name)
        };
        for number in [".1000", ".999", "", ".002"] {
            fs::write(old(number), number)?;
        }
        remove_all_but(&path, 2).map_err(|(_, error)| error)?;
        let left = [".1000", ".999", "", ".002"].map(|number| old(number).exists());
        assert_eq!(left, [true, true, false, false]);
        fs::remove_dir_all(folder)
    }
}
