//! Lua's own sources (crate `lua-src`) + `patches/` + `csrc/` = the library `skynet_lua`.
//!
//! The patched tree is left in `OUT_DIR/lua`: it is also the include directory for C modules, internal headers included.
//! Dependents' build scripts get it as `DEP_SKYNET_LUA_INCLUDE`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const LUA_DIR: &str = "lua-5.5.1";
/// As in Cargo.toml.
const LUA_SRC: &str = "551.1.0";
/// In the order in which they are applied: some stand on lines that another one has brought. `patches/compat` is what programs
/// for the C core's Lua need, `patches/speed` makes no difference but time and memory.
const PATCHES: [&str; 21] = [
    "compat/sharing",
    "compat/alignment",
    "compat/print",
    "speed/vm-snapshot",
    "speed/require",
    "speed/strings",
    "speed/collisions",
    "compat/host",
    "compat/debugger",
    "speed/fields",
    "speed/cells",
    "speed/tables",
    "speed/numbers",
    "speed/tablib",
    "compat/running",
    "speed/concat",
    "speed/stringtable",
    "speed/jump",
    "speed/yield",
    "speed/bytes",
    "speed/slide",
];
/// Lua without its libraries, in the order of Lua's own `onelua.c`. Compiled as one file: see [`compile`].
const CORE: [&str; 20] = [
    "lzio", "lctype", "lopcodes", "lmem", "lundump", "ldump", "lstate", "lgc", "llex", "lcode",
    "lparser", "ldebug", "lfunc", "lobject", "ltm", "lstring", "ltable", "ldo", "lvm", "lapi",
];

fn main() {
    for watched in ["build.rs", "patches", "csrc"] {
        println!("cargo:rerun-if-changed={watched}");
    }
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let tree = PathBuf::from(variable("OUT_DIR")).join("lua");
    if tree.exists() {
        fs::remove_dir_all(&tree).expect("the old tree can be removed");
    }
    fs::create_dir_all(&tree).expect("OUT_DIR is writable");
    copy_files(&lua_sources(&root).join(LUA_DIR), &tree);
    for patch in PATCHES {
        apply_patch(&root.join(format!("patches/{patch}.patch")), &tree);
    }
    for part in ["csrc/compat", "csrc/speed", "csrc/tools"] {
        copy_files(&root.join(part), &tree);
    }
    compile(&tree);
    println!("cargo:include={}", tree.display());
    println!("cargo:rustc-env=SKYNET_LUA_INCLUDE={}", tree.display());
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

/// The directory of the `lua-src` package: only cargo knows it.
///
/// Asked of a package of its own that depends on nothing else: offline, cargo answers only if every package of the graph
/// has been downloaded, and of ours a build for users has no need of those that only the tests use.
fn lua_sources(root: &Path) -> PathBuf {
    let lookup = PathBuf::from(variable("OUT_DIR")).join("lookup");
    fs::create_dir_all(&lookup).expect("OUT_DIR is writable");
    let manifest = format!(
        "[package]\nname = \"lookup\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [lib]\npath = \"lib.rs\"\n[dependencies]\nlua-src = \"={LUA_SRC}\"\n[workspace]\n"
    );
    fs::write(lookup.join("Cargo.toml"), manifest).expect("OUT_DIR is writable");
    fs::write(lookup.join("lib.rs"), "").expect("OUT_DIR is writable");
    // With the versions that our workspace has locked; if others have been downloaded (the build is part of another
    // workspace), cargo finds them without.
    let lock = lookup.join("Cargo.lock");
    let ours = root.ancestors().map(|folder| folder.join("Cargo.lock"));
    if let Some(ours) = ours.into_iter().find(|lock| lock.exists()) {
        fs::copy(ours, &lock).expect("OUT_DIR is writable");
    }
    let mut answer = metadata(root, &lookup);
    if answer.is_err() && lock.exists() {
        fs::remove_file(&lock).expect("OUT_DIR is writable");
        answer = metadata(root, &lookup);
    }
    let metadata = answer.unwrap_or_else(|err| panic!("cargo metadata: {err}"));
    let manifest = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == "lua-src")
        .and_then(|package| package["manifest_path"].as_str())
        .expect("lua-src is a dependency");
    Path::new(manifest)
        .parent()
        .expect("a manifest stands in a directory")
        .to_path_buf()
}

fn metadata(root: &Path, package: &Path) -> Result<Value, String> {
    let out = Command::new(variable("CARGO"))
        .args(["metadata", "--offline", "--format-version", "1"])
        .arg("--manifest-path")
        .arg(package.join("Cargo.toml"))
        // Where the configuration of cargo is that this build obeys (sources that replace the registry, say).
        .current_dir(root)
        .output()
        .expect("cargo can be run");
    if !out.status.success() {
        return Err(String::from_utf8_lossy(&out.stderr).into_owned());
    }
    Ok(serde_json::from_slice(&out.stdout).expect("cargo metadata prints JSON"))
}

fn copy_files(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap_or_else(|err| panic!("{}: {err}", from.display())) {
        let path = entry.expect("directory entry").path();
        let target = to.join(path.file_name().expect("a file has a name"));
        let text = fs::read(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
        fs::write(&target, text).unwrap_or_else(|err| panic!("{}: {err}", target.display()));
    }
}

/// Applies a patch in git's format: one section a file.
fn apply_patch(patch: &Path, tree: &Path) {
    let text = fs::read_to_string(patch).expect("the patch is readable");
    for section in text.split("diff --git ").skip(1) {
        let start = section.find("--- ").expect("a section has a header");
        let parsed = diffy::Patch::from_str(&section[start..])
            .unwrap_or_else(|err| panic!("{}: {err}", patch.display()));
        let name = parsed.modified().expect("a section names its file");
        let name = name.strip_prefix("b/").unwrap_or(name);
        let file = tree.join(name);
        let old = fs::read_to_string(&file).unwrap_or_else(|err| panic!("{name}: {err}"));
        let new = diffy::apply(&old, &parsed).unwrap_or_else(|err| panic!("{name}: {err}"));
        fs::write(&file, new).unwrap_or_else(|err| panic!("{name}: {err}"));
    }
}

/// The core is compiled as one file, so that what allocates, marks, sweeps and looks up tables is put into its callers, which no
/// compiler does across files without link-time optimisation. See `docs/compile.md`.
fn compile(tree: &Path) {
    let core = PathBuf::from(variable("OUT_DIR")).join("core.c");
    let includes = CORE.map(|name| format!("#include \"{name}.c\"\n"));
    fs::write(&core, includes.concat()).expect("OUT_DIR is writable");
    let core = compiler(tree)
        // One jump at the end of each instruction of the VM, as its source says, instead of a few for all.
        .flag_if_supported("-fno-crossjumping")
        .file(core)
        .compile_intermediates();
    let mut sources: Vec<PathBuf> = fs::read_dir(tree)
        .expect("the tree was just made")
        .map(|entry| entry.expect("directory entry").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "c"))
        .filter(|path| {
            !CORE
                .iter()
                .any(|name| path.file_stem() == Some(name.as_ref()))
        })
        .collect();
    sources.sort();
    let mut build = compiler(tree);
    build.files(sources).objects(core).compile("skynet_lua");
    println!("cargo:rustc-link-search=native={}", variable("OUT_DIR"));
    // Whole: an executable exports functions that only the modules it loads call.
    println!("cargo:rustc-link-lib=static:+whole-archive=skynet_lua");
    if variable("CARGO_CFG_TARGET_OS") == "linux" {
        println!("cargo:rustc-link-lib=dylib=m");
        println!("cargo:rustc-link-lib=dylib=dl");
        println!("cargo:rustc-link-lib=dylib=pthread");
    }
}

fn compiler(tree: &Path) -> cc::Build {
    let mut build = cc::Build::new();
    build
        .include(tree)
        .opt_level(2)
        .std("gnu99")
        .warnings(false)
        .cargo_metadata(false)
        .flag_if_supported("-fno-common")
        // A VM's own short strings are few as long as it is small: those of code are in the sets that all VMs share.
        .define("MINSTRTABSIZE", "16")
        // With debug information cc would ask for them; unwinding has tables, and the interpreter a use for the register.
        .force_frame_pointer(false);
    match variable("CARGO_CFG_TARGET_OS").as_str() {
        "macos" | "ios" => build.define("LUA_USE_MACOSX", None),
        _ => build.define("LUA_USE_LINUX", None),
    };
    // A debug build checks what each call of Lua's interface asks for: indices, room on the stack, tables.
    if variable("PROFILE") == "debug" {
        build.define("LUA_USE_APICHECK", None);
    }
    build
}
