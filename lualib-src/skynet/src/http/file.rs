//! What a path below a folder leads to, for a server of files.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What is served.
#[derive(Debug, PartialEq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
}

/// What is known of a file or a folder.
#[derive(Debug, PartialEq)]
pub struct Facts {
    /// What it is.
    pub kind: Kind,
    /// Bytes of a file.
    pub size: u64,
    /// The last change of its content, in nanoseconds since 1970.
    pub changed: i64,
}

/// What `path` leads to in `folder`. None when there is nothing, nothing that is served (a pipe, a device), or when it is not in the
/// folder: by `..`, or by a link. Links to what is in the folder are followed, and the folder may be one.
pub fn look(folder: &[u8], path: &[u8]) -> Option<Facts> {
    let folder = fs::canonicalize(Path::new(OsStr::from_bytes(folder))).ok()?;
    // `join` would take an absolute path as it is.
    let relative = Path::new(OsStr::from_bytes(path));
    if relative.is_absolute() {
        return None;
    }
    let place = fs::canonicalize(folder.join(relative)).ok()?;
    if !place.starts_with(&folder) {
        return None;
    }
    let facts = fs::metadata(&place).ok()?;
    let kind = if facts.is_file() {
        Kind::File
    } else if facts.is_dir() {
        Kind::Folder
    } else {
        return None;
    };
    Some(Facts {
        kind,
        size: facts.size(),
        changed: facts
            .mtime()
            .saturating_mul(1_000_000_000)
            .saturating_add(facts.mtime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_what_is_in_the_folder_is_seen() {
        let place = std::env::temp_dir().join(format!("skynet-http-file-{}", std::process::id()));
        let inside = place.join("inside");
        fs::create_dir_all(inside.join("folder")).expect("a folder");
        fs::write(inside.join("file"), "12345").expect("a file");
        fs::write(place.join("secret"), "secret").expect("a file");
        symlink("../secret", inside.join("out")).expect("a link");
        symlink("..", inside.join("folder/up")).expect("a link");
        symlink("../..", inside.join("folder/upper")).expect("a link");
        symlink("file", inside.join("in")).expect("a link");
        symlink("loop", inside.join("loop")).expect("a link");
        symlink("inside", place.join("link")).expect("a link");
        let kind = |folder: &str, path: &[u8]| {
            look(place.join(folder).as_os_str().as_bytes(), path)
                .map(|facts| (facts.kind, facts.size))
        };
        for folder in ["inside", "link", "inside/", "inside/folder/.."] {
            assert_eq!(kind(folder, b"file"), Some((Kind::File, 5)));
            assert_eq!(kind(folder, b"in"), Some((Kind::File, 5)));
            assert_eq!(kind(folder, b"folder/up/file"), Some((Kind::File, 5)));
            assert!(matches!(kind(folder, b"folder"), Some((Kind::Folder, _))));
            assert!(matches!(kind(folder, b""), Some((Kind::Folder, _))));
            for path in [
                &b"out"[..],
                b"../secret",
                b"folder/upper/secret",
                b"/etc/passwd",
                b"file/",
                b"file/x",
                b"none",
                b"loop",
                b"file\0",
            ] {
                assert_eq!(kind(folder, path), None, "{path:?}");
            }
        }
        assert_eq!(kind("none", b"file"), None);
        assert_eq!(look(b"/dev", b"null"), None);
        fs::remove_dir_all(&place).expect("it goes");
    }
}
