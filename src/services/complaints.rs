//! What is said of a module that does not load, besides the words of the system's loader: what to do.

use std::ffi::{CStr, OsStr};
use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// No place of the path has a file of that name.
pub fn nowhere(files: &[String]) -> String {
    let mut text = String::new();
    if files.len() > 1 {
        let _ = write!(text, "\nno such file: {}", files.join(", "));
    }
    text + "\n(cpath says where services of C and Rust are looked for; is the library built? cargo build --release)"
}

/// The loader takes a file of another machine for one that is not there.
pub fn of_another_machine(file: &CStr) -> Option<String> {
    let path = Path::new(OsStr::from_bytes(file.to_bytes()));
    let (its, ours) = (machine(path)?, machine(Path::new("/proc/self/exe"))?);
    if its == ours {
        return None;
    }
    let (its, ours) = (name(its), name(ours));
    Some(format!(
        "{}: it is for {its}, and this node for {ours}",
        path.display()
    ))
}

/// The class and the machine of an ELF file. A pipe was refused before.
fn machine(path: &Path) -> Option<(u8, u16)> {
    let mut head = [0; 20];
    File::open(path).ok()?.read_exact(&mut head).ok()?;
    let is_elf = head.starts_with(b"\x7fELF");
    is_elf.then(|| (head[4], u16::from_le_bytes([head[18], head[19]])))
}

fn name((class, machine): (u8, u16)) -> String {
    let known = match (class, machine) {
        (2, 62) => "x86-64",
        (2, 183) => "aarch64",
        (_, 3) => "x86",
        (_, 40) => "arm",
        (2, 243) => "riscv64",
        _ => return format!("another machine (ELF {machine})"),
    };
    known.to_string()
}

/// A file that has no function by which its service begins.
pub fn without_init(file: &CStr, prefix: &[u8]) -> String {
    use object::{Object, ObjectSymbol};
    let path = Path::new(OsStr::from_bytes(file.to_bytes()));
    let prefix = String::from_utf8_lossy(prefix);
    let mut text = format!("{}: no function {prefix}_init in it", path.display());
    let data = std::fs::read(path).unwrap_or_default();
    let Ok(image) = object::File::parse(&*data) else {
        return text;
    };
    let begins = |name: &str| {
        let service = name.strip_suffix("_init")?;
        (!service.is_empty()).then(|| service.to_string())
    };
    let symbols = image.dynamic_symbols().filter(|s| s.is_definition());
    let mut others: Vec<String> = symbols
        .filter_map(|symbol| begins(symbol.name().ok()?))
        .collect();
    others.sort();
    match others.as_slice() {
        [] => text += "; of a service in Rust: is the name in #[service(\"...\")] there?",
        others => {
            let _ = write!(text, "; it has the service {}", others.join(", "));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_machine_is_told_from_one_of_this() {
        let folder = std::env::temp_dir();
        let file = folder.join(format!("skynet-machine-{}.so", std::process::id()));
        let mut head = b"\x7fELF\x02\x01\x01".to_vec();
        head.resize(18, 0);
        head.extend(8u16.to_le_bytes());
        std::fs::write(&file, head).expect("a file");
        let name = std::ffi::CString::new(file.as_os_str().as_bytes()).expect("a name");
        let text = of_another_machine(&name).expect("another machine");
        assert!(text.contains("it is for another machine (ELF 8)"), "{text}");
        std::fs::remove_file(&file).expect("the file");
        assert_eq!(of_another_machine(c"/proc/self/exe"), None);
        assert_eq!(of_another_machine(c"/nowhere"), None);
    }
}
