//! How a main program of any release starts a node. Not scanned for the headers.

use crate::base::panic::thread;
use crate::base::release::{self, LATEST, OLDEST, V1_1};
use crate::node::config::Config;
use crate::node::start;
use libc::{c_char, c_int};
use std::ffi::CStr;
use std::process::exit;

/// `SKYNET_HEADERS` of "skynet_api.h": counts the changes of the headers that an older library cannot serve.
const HEADERS: c_int = 1;

/// `struct skynet_config` before v1.1.0.
#[repr(C)]
pub struct Earlier {
    thread: c_int,
    harbor: c_int,
    daemon: *const c_char,
    module_path: *const c_char,
    bootstrap: *const c_char,
    logger: *const c_char,
    logservice: *const c_char,
}

const ADVICE: &str = "compile the main program with the headers of this library alone: no skynet_imp.h of another core may lie beside it or come first on the include path (see compat/SWAP.md, \"Link swap\")";

fn refuse(reason: &str) -> ! {
    eprintln!("skynet_start: {reason}; {ADVICE}");
    exit(1);
}

/// What `skynet_start` is for programs that include "skynet_imp.h": the header adds the size of its structure, the release
/// that the program is compiled for, and its own revision.
///
/// # Safety
/// `config` is readable for `size` bytes and is what the header of that release declares.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_start_for(
    config: *const Config,
    size: usize,
    version: c_int,
    headers: c_int,
) {
    thread(|| {
        if headers > HEADERS {
            refuse(&format!(
                "the headers are of revision {headers}, this library is of {HEADERS} and older than they are"
            ));
        }
        let Some(version) = u32::try_from(version)
            .ok()
            .filter(|version| (OLDEST..=LATEST).contains(version))
        else {
            refuse(&format!(
                "SKYNET_API_VERSION is {version}, which is no release"
            ));
        };
        let wanted = if version < V1_1 {
            size_of::<Earlier>()
        } else {
            size_of::<Config>()
        };
        if size != wanted {
            refuse(&format!(
                "struct skynet_config has {size} bytes, and {wanted} in release {version}"
            ));
        }
        if config.is_null() {
            return;
        }
        // SAFETY: contract of this function, and the size has been looked at.
        unsafe {
            if version < V1_1 {
                start::run(&full(&*config.cast::<Earlier>()), version);
            } else {
                start::run(&*config, version);
            }
        }
    })
}

/// CPU accounting was always on before there was a member for it.
fn full(config: &Earlier) -> Config {
    Config {
        thread: config.thread,
        harbor: config.harbor,
        profile: 1,
        daemon: config.daemon,
        module_path: config.module_path,
        bootstrap: config.bootstrap,
        logger: config.logger,
        logservice: config.logservice,
    }
}

/// A program that says nothing about itself: no header of this core was in it. Its structure is today's if the texts are where
/// they belong.
///
/// # Safety
/// `config` is today's structure, or that of before v1.1.0, which is shorter.
pub(super) unsafe fn start_untold(config: *const Config) {
    let is_path = |text: *const c_char| {
        // SAFETY: in either structure these two members hold a C string or null.
        !text.is_null() && unsafe { CStr::from_ptr(text) }.to_bytes().contains(&b'?')
    };
    // SAFETY: both members lie inside of the shorter structure.
    let (module_path, daemon) = unsafe { ((*config).module_path, (*config).daemon) };
    if !is_path(module_path) && is_path(daemon) {
        refuse("struct skynet_config is that of v1.0.0");
    }
    if release::configured() == Ok(None) {
        eprintln!(
            "skynet_start: the main program does not say for which release it is compiled, so this is the newest; {ADVICE}, or set api_version in the config"
        );
    }
    // SAFETY: contract of this function.
    unsafe { start::run(&*config, LATEST) };
}
