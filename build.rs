//! Builds the C shim, tells the linker which symbols to export, and lists the Lua files that the executable carries.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The number of the shared library; CHANGELOG.md says when it rises. compat/install.sh reads it from the library.
const SONAME: u32 = 0;

/// The name that programs ask for at run time.
fn soname() -> String {
    format!("libskynet.so.{SONAME}")
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // For the tests, which start such programs.
    println!("cargo:rustc-env=SKYNET_SONAME={}", soname());
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    println!(
        "cargo:rustc-env=SKYNET_TARGET={}",
        env::var("TARGET").expect("cargo sets it")
    );
    error_shim(&root);
    exports(&root, &out);
    if feature("LUA") {
        embedded(&root, &out);
    }
}

fn feature(name: &str) -> bool {
    env::var_os(format!("CARGO_FEATURE_{name}")).is_some()
}

/// What stable Rust cannot express: the variadic `skynet_error`, and weak references.
fn error_shim(root: &Path) {
    let mut build = cc::Build::new();
    for name in ["error_shim", "weak_shim"] {
        let source = root.join(format!("compat/{name}.c"));
        println!("cargo:rerun-if-changed={}", source.display());
        build.file(source);
    }
    build.warnings(true).compile("skynet_shims");
}

/// C services and Lua modules find the core's and Lua's functions in the executable, so it exports those and nothing else.
/// Test binaries load such services too.
fn exports(root: &Path, out: &Path) {
    let mut lists = vec!["core", "main", "older"];
    if feature("LUA") {
        lists.push("lua");
    }
    if feature("JEMALLOC") {
        lists.extend(["malloc", "jemalloc"]);
    }
    let mut script = String::from("{\n");
    for list in lists {
        let path = root.join(format!("compat/exports/{list}.txt"));
        println!("cargo:rerun-if-changed={}", path.display());
        for name in read(&path)
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
        {
            let _ = writeln!(script, "    {name};");
        }
    }
    script.push_str("};\n");
    let file = out.join("exports.list");
    write(&file, &script);

    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return;
    }
    println!("cargo:rustc-link-arg-cdylib=-Wl,-soname,{}", soname());
    if feature("JEMALLOC") {
        jemalloc_names(root);
    }
    for kind in ["bins", "tests", "benches", "examples"] {
        // An absent kind of target is an error to cargo.
        if kind == "examples" && !has_rust_file(&root.join("examples"))
            || kind == "tests" && !has_rust_file(&root.join("tests"))
            || kind == "benches" && !has_rust_file(&root.join("benches"))
        {
            continue;
        }
        println!(
            "cargo:rustc-link-arg-{kind}=-Wl,--dynamic-list={}",
            file.display()
        );
        // Modules of older projects use libm without saying so; it has to be there already.
        if !is_static() {
            println!("cargo:rustc-link-arg-{kind}=-Wl,--push-state,--no-as-needed,-lm,--pop-state");
        }
    }
}

/// The C core's executable has jemalloc's functions under names with a prefix, ours under their plain ones: both lead to the
/// same. Two variables are not part of jemalloc's interface, and have the prefix of the crate.
fn jemalloc_names(root: &Path) {
    // With musl jemalloc has not all of the functions.
    if is_static() {
        return;
    }
    for line in read(&root.join("compat/exports/jemalloc.txt")).lines() {
        let Some(plain) = line.strip_prefix("je_") else {
            continue;
        };
        let target = match plain {
            "test_hooks_arena_new_hook" | "test_hooks_libc_hook" => format!("_rjem_je_{plain}"),
            _ => plain.to_string(),
        };
        println!("cargo:rustc-link-arg-bins=-Wl,--defsym={line}={target}");
    }
}

/// Whether the executable is one of musl: static, so that it opens no modules, which could ask for something.
fn is_static() -> bool {
    env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "musl")
}

fn has_rust_file(dir: &Path) -> bool {
    // A target is a file, or a folder with a `main.rs`.
    let is_target = |path: PathBuf| {
        path.extension().is_some_and(|ext| ext == "rs") || path.join("main.rs").exists()
    };
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(is_target)
}

/// Writes `embedded.rs`: every file of the Lua layer under its name relative to the project.
fn embedded(root: &Path, out: &Path) {
    let mut files = BTreeMap::new();
    for folder in ["lualib", "service"] {
        println!("cargo:rerun-if-changed={}", root.join(folder).display());
        collect(root, Path::new(folder), &mut files);
    }
    let mut text =
        String::from("/// Files of the Lua layer: name relative to the project, content.\n");
    text.push_str("pub static FILES: &[(&str, &[u8])] = &[\n");
    for (name, path) in files {
        let _ = writeln!(
            text,
            "    ({name:?}, include_bytes!({:?})),",
            path.display().to_string()
        );
    }
    text.push_str("];\n");
    write(&out.join("embedded.rs"), &text);
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, PathBuf>) {
    let Ok(entries) = fs::read_dir(root.join(folder)) else {
        return;
    };
    for entry in entries.flatten() {
        let name = folder.join(entry.file_name());
        if entry.path().is_dir() {
            collect(root, &name, files);
        } else {
            files.insert(name.display().to_string(), entry.path());
        }
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) {
    // Untouched when nothing changed: what includes it is not compiled again.
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return;
    }
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
