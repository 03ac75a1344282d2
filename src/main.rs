//! The `skynet` executable: its command line, and the node that it asks for.

// Named, or the linker drops them with what they export to C services and Lua modules.
use skynet_lua as _;

use skynet_cli::Order;
#[cfg(feature = "jemalloc")]
use tikv_jemalloc_sys as _;

/// What jemalloc starts with ("TUNING" of jemalloc(3)); the environment goes over it. Its newer way of tidying the caches of
/// threads looks at them after every 64 KiB, which is at every message or block of socket data of that size.
#[cfg(feature = "jemalloc")]
#[unsafe(export_name = "malloc_conf")]
static MALLOC_CONF: Option<&'static std::ffi::c_char> = {
    const TEXT: &std::ffi::CStr = c"experimental_tcache_gc:false";
    // SAFETY: the first byte of a constant.
    Some(unsafe { &*TEXT.as_ptr() })
};

/// What the executable of the C core exports beside the core, and a program over the library defines itself: ignores
/// SIGPIPE. Returns 0.
#[unsafe(no_mangle)]
pub extern "C" fn sigign() -> std::ffi::c_int {
    skynet::ignore_broken_pipes();
    0
}

/// jemalloc reads `MALLOC_CONF` before `main`. Where the C core's executable had it, its functions and that variable began
/// with `je_` and `JE_`; settings that an operator still has under that name are handed over by starting once more.
#[cfg(all(feature = "jemalloc", target_os = "linux"))]
fn adopt_jemalloc_settings() {
    use std::os::unix::process::CommandExt;
    if let (Some(settings), None) = (
        std::env::var_os("JE_MALLOC_CONF"),
        std::env::var_os("MALLOC_CONF"),
    ) {
        let mut arguments = std::env::args_os();
        let mut again = std::process::Command::new(
            std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into()),
        );
        if let Some(name) = arguments.next() {
            again.arg0(name);
        }
        let reason = again.args(arguments).env("MALLOC_CONF", settings).exec();
        eprintln!("JE_MALLOC_CONF has no effect: {reason}");
    }
}

fn main() -> std::process::ExitCode {
    #[cfg(all(feature = "jemalloc", target_os = "linux"))]
    adopt_jemalloc_settings();
    match skynet_cli::order(std::env::args_os().skip(1), skynet::EMBEDDED) {
        Order::Config(path) => skynet::run_config(path),
        Order::Settings(settings) => {
            let path = settings.config.clone();
            skynet::run_settings(path, |known| settings.apply(known))
        }
        Order::Check(arguments) => skynet::check(arguments.into_iter()),
        Order::Done(status) => status,
    }
}
