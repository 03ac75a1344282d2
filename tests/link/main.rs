//! An executable of a project of its own (`test-c/host`) with a Lua of its own, over `libskynet`.
#![cfg(target_os = "linux")]

#[path = "../tools/mod.rs"]
mod tools;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tools::{
    RELEASES, compiler, exports, installed_archive, library, lua_sources, root, run, scratch,
    symbols,
};

/// Folder with `liblua.a` and the services of the host.
fn parts() -> &'static Path {
    static PARTS: OnceLock<PathBuf> = OnceLock::new();
    PARTS.get_or_init(|| {
        let folder = scratch("host");
        let lua = lua_sources();
        let mut objects = Vec::new();
        for entry in std::fs::read_dir(&lua).expect("sources of Lua").flatten() {
            let path = entry.path();
            let stem = path.file_stem().unwrap_or_default().to_os_string();
            if path.extension().is_some_and(|end| end == "c") && stem != "lua" && stem != "luac" {
                objects.push((folder.join(&stem).with_extension("o"), path));
            }
        }
        run(Command::new("cc")
            .current_dir(&folder)
            .args(["-O1", "-DLUA_USE_LINUX", "-c"])
            .args(objects.iter().map(|(_, source)| source)));
        run(Command::new("ar")
            .arg("rcs")
            .arg(folder.join("liblua.a"))
            .args(objects.iter().map(|(object, _)| object)));
        for service in ["host_log", "host_doubler", "host_asker"] {
            run(compiler("c")
                .args(["-shared", "-fPIC", "-O1"])
                .arg(root().join(format!("test-c/host/{service}.c")))
                .arg("-o")
                .arg(folder.join(format!("{service}.so"))));
        }
        folder
    })
}

/// Links the host with `core` (options for the linker), runs it and reads its log.
fn host(name: &str, core: &[&str]) {
    let folder = parts();
    let program = folder.join(name);
    run(compiler("c")
        .arg("-I")
        .arg(lua_sources())
        .arg(root().join("test-c/host/host.c"))
        // What follows are libraries, not sources.
        .args(["-x", "none", "-o"])
        .arg(&program)
        .arg("-L")
        .arg(library())
        .args(core)
        .arg(folder.join("liblua.a"))
        // The services find the core and Lua in the executable.
        .args(["-rdynamic", "-pthread", "-lm", "-ldl"]));
    // Cargo points it to this build, which has a libskynet.so too.
    let output = run(Command::new(&program)
        .arg(folder)
        .env_remove("LD_LIBRARY_PATH"));
    let log = String::from_utf8_lossy(&output.stdout);
    assert!(
        log.contains("LAUNCH host_doubler"),
        "the host's own log service writes the log: {log}"
    );
}

/// The archive, whole, as an option of the linker.
fn whole_archive() -> String {
    let archive = installed_archive();
    format!(
        "-Wl,--whole-archive,{},--no-whole-archive",
        archive.display()
    )
}

#[test]
fn a_host_with_its_own_lua_runs_over_the_archive() {
    host("host-archive", &[&whole_archive()]);
}

#[test]
fn a_host_links_the_archive_with_optimisation_at_link_time() {
    host("host-lto", &["-flto", "-O2", &whole_archive()]);
}

#[test]
fn a_host_links_the_archive_with_gold() {
    if Command::new("ld.gold").arg("--version").output().is_err() {
        return; // newer systems have none
    }
    host("host-gold", &["-fuse-ld=gold", &whole_archive()]);
}

#[test]
fn a_host_with_its_own_lua_runs_over_the_shared_library() {
    let rpath = format!("-Wl,-rpath,{}", library().display());
    host("host-shared", &["-l:libskynet.so", &rpath]);
}

#[test]
fn the_library_without_features_has_neither_lua_nor_an_allocator() {
    let foreign = |name: &String| {
        name.starts_with("lua_")
            || name.starts_with("luaL_")
            || name.starts_with("luaopen_")
            || name.starts_with("snlua_")
            || name.contains("mallctl") && name.starts_with("je_")
            || matches!(name.as_str(), "malloc" | "free" | "calloc" | "realloc")
    };
    let archive = symbols(&library().join("libskynet.a"), &["--defined-only"]);
    let shared = symbols(&library().join("libskynet.so"), &["-D", "--defined-only"]);
    let found: Vec<&String> = archive
        .iter()
        .chain(&shared)
        .filter(|name| foreign(name))
        .collect();
    assert!(found.is_empty(), "{found:?}");
    assert!(
        archive.iter().any(|name| name == "skynet_start"),
        "the archive has the core"
    );
}

#[test]
fn the_installed_archive_has_the_names_of_the_interface_and_no_other() {
    let mut names = symbols(installed_archive(), &["--defined-only", "--extern-only"]);
    let mut wanted = [exports("core"), exports("older")].concat();
    names.sort();
    wanted.sort();
    assert_eq!(names, wanted);
}

#[test]
fn the_archive_goes_together_with_rust_of_the_project() {
    let folder = scratch("rust-beside");
    let source = folder.join("beside.rs");
    std::fs::write(
        &source,
        "#[unsafe(no_mangle)] pub extern \"C\" fn beside() -> i32 { std::panic::catch_unwind(|| { let v: Vec<i32> = Vec::new(); v[std::env::args().count()] }).unwrap_or(7) }\n",
    )
    .expect("source");
    let beside = folder.join("libbeside.a");
    run(
        Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
            .args(["--crate-type=staticlib", "--edition=2024", "-o"])
            .arg(&beside)
            .arg(&source),
    );
    let main = folder.join("main.c");
    std::fs::write(
        &main,
        "#include \"skynet.h\"\nint beside(void);\nint main(void) { return beside() != 7 || skynet_now() > 1u << 30; }\n",
    )
    .expect("source");
    let program = folder.join("program");
    run(compiler("c")
        .arg(&main)
        .args(["-x", "none", &whole_archive()])
        .arg(&beside)
        .args(["-rdynamic", "-pthread", "-lm", "-ldl", "-o"])
        .arg(&program));
    run(&mut Command::new(&program));
}

/// A program of `test-c/releases` over the shared library, compiled for one release.
fn program_of(folder: &Path, source: &str, release: u32) -> PathBuf {
    let program = folder.join(format!("{source}-{release}"));
    run(compiler("c")
        .arg(format!("-DSKYNET_API_VERSION={release}"))
        .arg(root().join(format!("test-c/releases/{source}.c")))
        .args(["-x", "none", "-o"])
        .arg(&program)
        .arg("-L")
        .arg(library())
        .args(["-l:libskynet.so", "-rdynamic", "-pthread"])
        .arg(format!("-Wl,-rpath,{}", library().display())));
    program
}

/// The folder of the probe as a service that was compiled with `options`.
fn probe(folder: &Path, language: &str, release: u32, options: &[&str]) -> PathBuf {
    let services = folder.join(format!("{language}-{release}{}", options.len()));
    std::fs::create_dir_all(&services).expect("a folder for the service");
    run(compiler(language)
        .args(["-shared", "-fPIC", "-O1"])
        .args(options)
        .arg(format!("-DSKYNET_API_VERSION={release}"))
        .arg(root().join("test-c/releases/release_probe.c"))
        .arg("-o")
        .arg(services.join("release_probe.so")));
    services
}

#[test]
fn a_project_of_each_release_finds_what_its_release_does() {
    let folder = scratch("releases");
    for &release in RELEASES {
        let program = program_of(&folder, "release_main", release);
        for language in ["c", "c++"] {
            run(Command::new(&program)
                .arg(probe(&folder, language, release, &[]))
                .arg("release_probe")
                .env_remove("LD_LIBRARY_PATH"));
        }
    }
}

#[test]
fn a_service_that_was_compiled_for_a_release_finds_it_by_the_config() {
    let folder = scratch("compiled-then");
    let program = program_of(&folder, "release_main", RELEASES[0]);
    for (release, name) in [(10000, "1.0.0"), (10300, "10300"), (10500, "v1.5.0")] {
        run(Command::new(&program)
            .arg(probe(&folder, "c", release, &["-DCOMPILED_THEN"]))
            .args(["release_probe", name])
            .env_remove("LD_LIBRARY_PATH"));
    }
}

#[test]
fn a_compiled_harbor_service_of_old_is_told_of_when_the_config_says_nothing() {
    let folder = scratch("compiled-harbor");
    let program = program_of(&folder, "release_main", RELEASES[0]);
    let service = probe(&folder, "c", 10100, &["-DCOMPILED_THEN"]);
    let log = |config: &[&str]| {
        let output = run(Command::new(&program)
            .arg(&service)
            .arg("release_probe harbor")
            .args(config)
            .env_remove("LD_LIBRARY_PATH"));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let told = log(&[]);
    assert!(
        told.contains("release_probe.so was compiled for v1.2.0 or older")
            && told.contains("api_version = \"1.1.0\""),
        "{told}"
    );
    for known in ["1.1.0", "1.2.0"] {
        let silent = log(&[known]);
        assert!(!silent.contains("was compiled for"), "{silent}");
    }
    // One that brings along what it uses does not look for it in the core.
    let output = run(Command::new(&program)
        .arg(probe(
            &folder,
            "c",
            10100,
            &["-DCOMPILED_THEN", "-DOWN_SEND"],
        ))
        .arg("release_probe harbor")
        .env_remove("LD_LIBRARY_PATH"));
    let silent = String::from_utf8_lossy(&output.stdout);
    assert!(!silent.contains("was compiled for"), "{silent}");
}

#[test]
fn cmake_builds_services_that_have_no_core_inside() {
    let folder = scratch("cmake-headers");
    let config = root().join("compat/cmake/skynet-config.cmake.in");
    let place = folder.join("lib/cmake/skynet");
    std::fs::create_dir_all(&place).expect("a folder for the package");
    std::fs::create_dir(folder.join("include")).expect("a folder for the headers");
    std::fs::copy(config, place.join("skynet-config.cmake")).expect("the package");
    std::os::unix::fs::symlink(root().join("include"), folder.join("include/skynet"))
        .expect("the headers");
    let service = root().join("test-c/host/host_doubler.c");
    let project = format!(
        "cmake_minimum_required(VERSION 3.10)\nproject(service C)\nfind_package(skynet REQUIRED)\n\
         add_library(doubler MODULE {})\ntarget_link_libraries(doubler PRIVATE skynet::headers)\n",
        service.display()
    );
    std::fs::write(folder.join("CMakeLists.txt"), project).expect("the project");
    let build = folder.join("build");
    run(Command::new("cmake")
        .arg("-S")
        .arg(&folder)
        .arg("-B")
        .arg(&build)
        .arg(format!("-DCMAKE_PREFIX_PATH={}", folder.display())));
    run(Command::new("cmake").arg("--build").arg(&build));
    let defined = symbols(&build.join("libdoubler.so"), &["-D", "--defined-only"]);
    assert!(
        !defined.iter().any(|name| name.starts_with("skynet_")),
        "{defined:?}"
    );
}

#[test]
fn a_program_with_headers_that_do_not_fit_is_refused_with_the_reason() {
    let folder = scratch("stale");
    let program = program_of(&folder, "stale_main", 99999);
    for (case, reason) in [
        ("old", "struct skynet_config is that of v1.0.0"),
        ("size", "has 48 bytes, and 56 in release 10400"),
        ("release", "SKYNET_API_VERSION is 123"),
        ("headers", "the headers are of revision 1000"),
        // Runs, up to the service that it does not have.
        ("untold", "does not say for which release"),
    ] {
        let output = Command::new(&program)
            .current_dir(&folder)
            .arg(case)
            .env_remove("LD_LIBRARY_PATH")
            .output()
            .expect("the program");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{case}: {text}");
        assert!(
            text.contains(reason) && text.contains("compat/SWAP.md"),
            "{case}: {text}"
        );
        let started = String::from_utf8_lossy(&output.stdout).contains("Bootstrap error");
        assert_eq!(started, case == "untold", "{case}");
        let left = std::fs::read_dir(&folder).expect("the folder").count();
        assert_eq!(
            left, 1,
            "nothing but the program is in the folder: no pid file"
        );
    }
}
