//! The `skynet` executable: a config file, and the node that it describes.

// Named, or the linker drops them with what they export to C services and Lua modules.
use skynet_lua as _;
#[cfg(feature = "jemalloc")]
use tikv_jemalloc_sys as _;

fn main() -> std::process::ExitCode {
    skynet::cli::main(std::env::args_os().skip(1))
}
