//! What a compiled service or module (`.so`) says about itself before it is opened: the symbols that it needs and gives,
//! and which Lua it was compiled for ([`lua`]).
//!
//! Nothing of the file runs. Of the file those parts are read that are asked for, so a large one costs no more than its tables;
//! a damaged file is an error and never a panic, as `object` checks every offset.

mod code;
pub mod lua;

use object::{Architecture, Object, ObjectSection, ObjectSymbol, ReadCache, ReadRef, SectionKind};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Sections above this size are not looked at: no service has as much code.
const LARGEST_SECTION: u64 = 512 << 20;

/// A shared object file.
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    /// Symbols without which it cannot be opened.
    pub imports: BTreeSet<String>,
    /// Symbols that it uses if they are there (weak references).
    pub optional: BTreeSet<String>,
    /// Symbols that it gives to others.
    pub exports: BTreeSet<String>,
    /// The processor that it is for.
    pub architecture: Architecture,
    /// It is a program, not a library: it names the loader that starts it (`PT_INTERP`).
    pub is_program: bool,
}

impl Image {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Image, String> {
        let file = open(path).map_err(|reason| reason.to_string())?;
        let mut image = Image::parse(&ReadCache::new(file))?;
        path.clone_into(&mut image.path);
        Ok(image)
    }

    /// Makes sense of the bytes of a file.
    fn parse<'data>(data: impl ReadRef<'data>) -> Result<Image, String> {
        let file = object::File::parse(data).map_err(|reason| reason.to_string())?;
        let mut image = Image {
            path: PathBuf::new(),
            imports: BTreeSet::new(),
            optional: BTreeSet::new(),
            exports: BTreeSet::new(),
            architecture: file.architecture(),
            is_program: file.section_by_name(".interp").is_some(),
        };
        for symbol in file.dynamic_symbols() {
            let Ok(name) = symbol.name() else { continue };
            let list = match (symbol.is_undefined(), symbol.is_weak()) {
                (true, false) => &mut image.imports,
                (true, true) => &mut image.optional,
                (false, _) if symbol.is_global() => &mut image.exports,
                _ => continue,
            };
            if !name.is_empty() {
                list.insert(name.to_owned());
            }
        }
        Ok(image)
    }

    /// Gives the bytes of each section of machine code, or of constants, to `look`.
    fn each_section(&self, kind: SectionKind, mut look: impl FnMut(&[u8])) {
        let Ok(file) = open(&self.path) else {
            return;
        };
        let cache = ReadCache::new(file);
        let Ok(file) = object::File::parse(&cache) else {
            return;
        };
        let wanted = file
            .sections()
            .filter(|section| section.kind() == kind && section.size() <= LARGEST_SECTION);
        for section in wanted {
            if let Ok(bytes) = section.data() {
                look(bytes);
            }
        }
    }
}

/// Opens a file that can be read at any place: one of the system's own, a pipe or a device is none.
fn open(path: &Path) -> std::io::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("is no ordinary file"));
    }
    File::open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_it_needs() {
        let me = std::env::current_exe().unwrap();
        let image = Image::read(&me).unwrap();
        assert!(image.imports.contains("dlopen"), "{:?}", image.imports);
    }

    #[test]
    fn what_is_no_object_file_is_an_error() {
        for bytes in [
            &b""[..],
            b"\x7fELF",
            b"--  a text of some length, as long as a header is",
        ] {
            assert!(Image::parse(bytes).is_err());
        }
        assert!(Image::read(Path::new("/nonexistent.so")).is_err());
    }

    /// Every byte of the headers overwritten, one at a time: an error or another reading, and an end.
    #[test]
    fn damaged_files_do_no_harm() {
        let me = std::env::current_exe().unwrap();
        let whole = std::fs::read(me).unwrap();
        let mut head = whole[..whole.len().min(64 << 10)].to_vec();
        for place in 0..1024.min(head.len()) {
            let good = head[place];
            head[place] = !good;
            let _ = Image::parse(head.as_slice());
            head[place] = good;
        }
    }
}
