//! What a compiled service or module (`.so`) says about itself before it is opened: the symbols that it needs and gives,
//! and which Lua it was compiled for ([`lua`]).
//!
//! Nothing of the file runs. It is read whole; a damaged file is an error and never a panic, as `object` checks every offset.

mod code;
pub mod lua;

use object::{Architecture, Object, ObjectSection, ObjectSymbol, SectionKind};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A shared object file.
#[derive(Debug)]
pub struct Image {
    data: Vec<u8>,
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
        let data = fs::read(path).map_err(|reason| reason.to_string())?;
        Image::parse(data)
    }

    /// Makes sense of the bytes of a file.
    pub fn parse(data: Vec<u8>) -> Result<Image, String> {
        let file = object::File::parse(&*data).map_err(|reason| reason.to_string())?;
        let mut image = Image {
            data: Vec::new(),
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
        drop(file);
        image.data = data;
        Ok(image)
    }

    /// Gives the bytes of each section of machine code, or of constants, to `look`.
    fn each_section(&self, kind: SectionKind, mut look: impl FnMut(&[u8])) {
        let Ok(file) = object::File::parse(&*self.data) else {
            return;
        };
        for section in file.sections().filter(|section| section.kind() == kind) {
            if let Ok(bytes) = section.data() {
                look(bytes);
            }
        }
    }
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
            assert!(Image::parse(bytes.to_vec()).is_err());
        }
        assert!(Image::read(Path::new("/nonexistent.so")).is_err());
    }

    /// Every byte of the headers overwritten, one at a time: an error or another reading, and an end.
    #[test]
    fn damaged_files_do_no_harm() {
        let me = std::env::current_exe().unwrap();
        let whole = fs::read(me).unwrap();
        let mut head = whole[..whole.len().min(64 << 10)].to_vec();
        for place in 0..1024.min(head.len()) {
            let good = head[place];
            head[place] = !good;
            let _ = Image::parse(head.clone());
            head[place] = good;
        }
    }
}
