//! Runs compilers and other tools for the tests of the C interface.
#![allow(dead_code, reason = "each test binary uses a part")]

#[cfg(feature = "lua")]
pub mod cases;
#[cfg(feature = "lua")]
pub mod editor;
#[cfg(feature = "lua")]
pub mod example;
#[cfg(feature = "lua")]
pub mod network;
#[cfg(feature = "lua")]
pub mod node;
#[cfg(target_os = "linux")]
pub mod old_kernel;
#[cfg(feature = "lua")]
pub mod peer;
#[cfg(feature = "lua")]
pub mod running;
pub mod terminal;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The generations of the interface that `include/` presents.
pub const GENERATIONS: &[u32] = &[99999, 10800, 10500, 10300, 10000];

/// All of its releases, the newest first.
pub const RELEASES: &[u32] = &[
    99999, 10800, 10700, 10600, 10500, 10400, 10300, 10200, 10100, 10000,
];

/// The project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An empty folder for one test.
pub fn scratch(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("scratch folder");
    folder
}

/// Runs a command to its end; what it wrote is part of the failure.
pub fn run(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A C compiler in the given language with every warning an error: `"c"` is C11, `"c++"` is C++17.
pub fn compiler(language: &str) -> Command {
    let (variable, default, standard) = match language {
        "c" => ("CC", "cc", "gnu11"),
        _ => ("CXX", "c++", "gnu++17"),
    };
    let mut command = Command::new(std::env::var_os(variable).unwrap_or_else(|| default.into()));
    command.args([
        "-x",
        language,
        &format!("-std={standard}"),
        "-Wall",
        "-Wextra",
        "-Werror",
    ]);
    // offsetof of a member of a structure with atomics: fine everywhere, but C++17 does not promise it.
    if language == "c++" {
        command.arg("-Wno-invalid-offsetof");
    }
    command.arg("-I").arg(root().join("include"));
    command
}

/// The names of one list of `compat/exports/`.
pub fn exports(list: &str) -> Vec<String> {
    let path = root().join(format!("compat/exports/{list}.txt"));
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_string)
        .collect()
}

/// The names that `nm` with `options` reports for a file, without versions.
pub fn symbols(file: &Path, options: &[&str]) -> Vec<String> {
    let output = run(Command::new("nm")
        .args(options)
        .arg("--format=posix")
        .arg(file));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, _)| name.split('@').next().unwrap_or(name).to_string())
        .collect()
}

/// The library without Lua, as an old project links it: builds it (once a run, cargo keeps it) and answers its folder.
pub fn library() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("library");
    run(Command::new(env!("CARGO"))
        .current_dir(root())
        // What cargo told this test about its own build does not concern that one.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .args([
            "build",
            "--quiet",
            "--package",
            "skynet",
            "--lib",
            "--no-default-features",
            "--target-dir",
        ])
        .arg(&target));
    let folder = target.join("debug");
    // The name that programs ask for at run time.
    let link = folder.join(env!("SKYNET_SONAME"));
    if let Err(error) = std::os::unix::fs::symlink("libskynet.so", &link) {
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    }
    folder
}

/// [`library`] with the archive as it is installed.
pub fn installed_archive() -> &'static Path {
    // Once for all tests: they run at the same time.
    static ARCHIVE: OnceLock<PathBuf> = OnceLock::new();
    ARCHIVE.get_or_init(|| {
        let folder = library();
        let archive = folder.join("installed/libskynet.a");
        std::fs::create_dir_all(folder.join("installed")).expect("a folder for the archive");
        run(Command::new(root().join("compat/archive.sh"))
            .arg(folder.join("libskynet.a"))
            .arg(&archive));
        archive
    })
}

/// The C services that are built as files: builds them and answers a folder in which they have the names of an old tree.
pub fn c_services() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("services");
    let folder = target.join("cservice");
    std::fs::create_dir_all(&folder).expect("a folder for the services");
    for name in ["gate", "harbor", "logger"] {
        run(Command::new(env!("CARGO"))
            .current_dir(root())
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .args(["build", "--quiet", "--package", &format!("{name}-so")])
            .arg("--target-dir")
            .arg(&target));
        let built = target.join(format!("debug/lib{name}.so"));
        std::fs::copy(built, folder.join(format!("{name}.so"))).expect("the service was built");
    }
    folder
}

/// The C headers of the executable's Lua, as a user gets them with these options: answers their folder.
pub fn lua_headers(options: &[&str]) -> PathBuf {
    // Tests of one process may ask at the same time.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = scratch(&format!("lua-headers-{}-{count}", std::process::id()));
    run(Command::new(root().join("compat/lua-headers.sh"))
        .args(options)
        .arg(&folder)
        .env("CARGO_TARGET_DIR", env!("CARGO_TARGET_TMPDIR"))
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        // They may be for another processor (.ci/aarch64); the headers are the same for all.
        .env_remove("CC")
        .env_remove("CXX"));
    folder
}

/// The sources of the Lua that the host program brings: 5.4, so not the executable's.
pub fn lua_sources() -> PathBuf {
    lua_sources_of("5.4")
}

/// The sources of a generation of Lua, "5.1" to "5.5": a folder with its headers.
pub fn lua_sources_of(version: &str) -> PathBuf {
    // Not offline: a run of some of the tests may not have downloaded every package of the graph.
    let metadata = run(Command::new(env!("CARGO")).current_dir(root()).args([
        "metadata",
        "--format-version=1",
        "--locked",
        "--filter-platform",
        env!("SKYNET_TARGET"),
    ]))
    .stdout;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata).expect("metadata");
    let manifest = metadata["packages"]
        .as_array()
        .and_then(|packages| packages.iter().find(|package| package["name"] == "lua-src"))
        .and_then(|package| package["manifest_path"].as_str())
        .expect("lua-src");
    let folder = Path::new(manifest).parent().expect("folder of lua-src");
    let begin = format!("lua-{version}.");
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("lua-src")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(&begin))
        })
        .collect();
    found
        .pop()
        .unwrap_or_else(|| panic!("Lua {version} in lua-src"))
}
