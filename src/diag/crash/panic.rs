//! What becomes of a panic: a mistake in the node, or in a service that is written in Rust and lets its panics out.
//!
//! - On a thread of the node ([`thread`]) it is the end of the process, with the report of a crash.
//! - In a function that C calls ([`contain`]) that call fails, as it fails for other reasons, and the log says so. A call that
//!   itself runs services ([`thread`] again) is as a thread.
//!
//! Where it happened, the panic hook has written to the standard error before any of this.
//!
//! [`thread`]: crate::base::panic::thread

use super::text::Text;
use super::write_all;
use crate::actor::service;
use crate::base::log;
use crate::base::panic::message;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The first line of the report of a crash that was a panic.
pub(super) fn tell(thread: &str, what: &str) {
    let mut text = Text::new();
    text.put(b"\ncrash: panic in thread ")
        .put(thread.as_bytes())
        .put(b": ")
        .put(what.as_bytes())
        .put(b"\n");
    write_all(&mut text);
}

/// Runs the body of `function`, which C calls. After a panic the answer is `failed`.
#[inline(always)]
pub fn contain<T>(function: &str, failed: T, body: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(payload) => {
            report(function, payload);
            failed
        }
    }
}

#[cold]
#[inline(never)]
fn report(function: &str, payload: Box<dyn Any + Send>) {
    let tell = || {
        let handle = service::current_handle();
        let text = message(&*payload);
        log::error_fmt(
            service::on_turn(),
            format_args!(
                "error: {function}, called by {}: internal error: {text}",
                service::describe(handle)
            ),
        );
    };
    // What is broken may be the log.
    if catch_unwind(AssertUnwindSafe(tell)).is_err() {
        eprintln!("{function}: internal error: {}", message(&*payload));
    }
    // A payload of any type may have a destructor that panics, too.
    if !(payload.is::<&str>() || payload.is::<String>()) {
        std::mem::forget(payload);
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;
    use crate::base::panic::thread;
    use std::fs;
    use std::path::Path;

    #[test]
    fn a_panic_in_a_call_is_the_failure_of_that_call() {
        assert_eq!(contain("add", -1, || 1 + 1), 2);
        assert_eq!(contain("add", -1, || panic!("no {}", "numbers")), -1);
        struct Loud;
        impl Drop for Loud {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        assert_eq!(contain("add", -1, || std::panic::panic_any(Loud)), -1);
    }

    /// Ends its process: for the test below only.
    #[test]
    #[ignore = "run by another test"]
    fn panics() {
        let body = || thread(|| panic!("no way back"));
        let thread = std::thread::Builder::new().name("worker 7".into());
        let _ = thread.spawn(body).unwrap().join();
        println!("still there");
    }

    #[test]
    fn a_panic_on_a_thread_of_the_node_is_the_end_of_the_process() {
        let ended = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "diag::crash::panic::tests::panics",
                "--ignored",
                "--nocapture",
            ])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert!(
            errors.contains("crash: panic in thread worker 7: no way back\n"),
            "{errors}"
        );
        assert!(!String::from_utf8_lossy(&ended.stdout).contains("still there"));
        assert!(!ended.status.success());
    }

    /// Functions whose bodies call nothing that could panic, or must not have a frame that catches.
    const PLAIN: [&str; 14] = [
        // An error of Lua's leaves by longjmp.
        "dump_mem_lua",
        "meminfo_init",
        "atomic_meminfo_init",
        "meminfo_alloc",
        "atomic_meminfo_alloc",
        "meminfo_free",
        "atomic_meminfo_free",
        "meminfo_merge",
        "atomic_meminfo_merge",
        "daemon_exit",
        // A jump.
        "skynet_error",
        "skynet_lalloc",
        "skynet_strdup",
        "sigign",
    ];

    #[test]
    fn no_panic_leaves_a_function_that_c_calls() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/abi");
        let mut functions = 0;
        for entry in fs::read_dir(folder).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            for part in text.split("#[unsafe(no_mangle)]").skip(1) {
                let (_, part) = part.split_once(" fn ").unwrap();
                let (name, part) = part.split_once('(').unwrap();
                let (_, body) = part.split_once(" {").map_or(("", part), |both| both);
                let first = body.trim_start();
                let contained = ["contain(", "thread(", "}"]
                    .iter()
                    .any(|begin| first.starts_with(begin));
                assert!(contained || PLAIN.contains(&name), "{name}: {first:.60}");
                functions += 1;
            }
        }
        assert!(functions > 100, "{functions}");
    }
}
