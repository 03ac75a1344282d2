//! Everything that the counters of the node say at one moment, as JSON (command SNAPSHOT). No service is asked.

use super::{figures, stuck};
use crate::actor::service::{self, ServiceFigures};
use crate::alloc::memory::jemalloc;
use crate::base::{clock, log_tail};
use crate::io::socket::{self, SocketInfo};
use skynet_sys::info_type;
use std::ffi::{CStr, c_char};
use std::fmt::Write as _;

/// The form of the object: a reader refuses what it does not know.
const VERSION: u32 = 1;

/// An object in one line ("docs/operations.md", `snapshot`). With `sockets` it has a list of all sockets, too.
pub fn json(sockets: bool) -> String {
    // About 150 bytes for each service.
    let mut out = String::with_capacity(4096 + 160 * service::total().max(0) as usize);
    let seconds = clock::monotonic_nanos() as f64 / 1e9;
    let _ = write!(
        out,
        "{{\"version\":{VERSION},\"pid\":{},\"clock\":{seconds:.6},\"ticks\":{}",
        std::process::id(),
        clock::now()
    );
    node(&mut out);
    out.push_str(",\"workers\":");
    list(&mut out, stuck::workers().lines(), text);
    out.push_str(",\"services\":[");
    let mut first = true;
    service::each_service(&mut |figures| {
        comma(&mut out, &mut first);
        one_service(&mut out, figures);
    });
    out.push(']');
    if sockets {
        out.push_str(",\"sockets\":[");
        all_sockets(&mut out);
        out.push(']');
    }
    out.push('}');
    out
}

/// Lines of the log from that number on, as an object in one line ("docs/commands.md", LOGLINES).
pub fn log_lines(number: u64) -> String {
    let found = log_tail::since(number);
    let mut out = format!(
        "{{\"next\":{},\"missed\":{},\"lines\":",
        found.next, found.missed
    );
    list(&mut out, found.lines.iter(), |out, line| {
        let _ = write!(
            out,
            "[{},{},\":{:08x}\",",
            line.number, line.time, line.source
        );
        text(out, &String::from_utf8_lossy(&line.text));
        out.push(']');
    });
    out.push('}');
    out
}

/// The figures of METRICS, and those of the allocator.
fn node(out: &mut String) {
    out.push_str(",\"node\":{");
    let mut first = true;
    for line in figures::node().lines() {
        if let Some((name, value)) = line.split_once(' ') {
            comma(out, &mut first);
            text(out, name);
            let _ = write!(out, ":{value}");
        }
    }
    out.push_str("},\"memory\":{");
    first = true;
    if jemalloc::present() {
        let allocated = jemalloc::allocated(); // which makes jemalloc add its counters up
        let others = [
            ("active", c"stats.active"),
            ("resident", c"stats.resident"),
            ("retained", c"stats.retained"),
        ];
        let others = others.map(|(name, key)| (name, jemalloc::read(key).unwrap_or(0)));
        for (name, bytes) in [("allocated", allocated)].into_iter().chain(others) {
            comma(out, &mut first);
            let _ = write!(out, "\"{name}\":{bytes}");
        }
    }
    out.push('}');
}

fn one_service(out: &mut String, figures: &ServiceFigures<'_>) {
    let (module, arguments) = figures.title;
    let _ = write!(out, "{{\"address\":\":{:08x}\",\"name\":", figures.handle);
    let title = [module.to_bytes(), arguments].join(&b' ');
    text(out, String::from_utf8_lossy(&title).trim_end());
    let _ = write!(
        out,
        ",\"mqlen\":{},\"message\":{},\"cpu\":{:.6},\"lua\":{},\"memory\":{}}}",
        figures.waiting,
        figures.messages,
        figures.cpu_micros as f64 / 1e6,
        figures.lua_bytes,
        figures.bytes
    );
}

/// The list of a server, released at the end.
struct Sockets(*mut SocketInfo);

impl Drop for Sockets {
    fn drop(&mut self) {
        // SAFETY: the list is this value's, whole, and nobody reads it any more.
        unsafe { socket::info::release(self.0) };
    }
}

fn all_sockets(out: &mut String) {
    let Some(server) = socket::server() else {
        return;
    };
    let sockets = Sockets(server.info());
    let mut next: *const SocketInfo = sockets.0;
    let mut first = true;
    // SAFETY: null, or an entry of the list, which lives as long as `sockets`.
    while let Some(info) = unsafe { next.as_ref() } {
        comma(out, &mut first);
        one_socket(out, info);
        next = info.next;
    }
}

/// Keys as in the answer of `netstat`; times are of the clock `ticks`.
fn one_socket(out: &mut String, info: &SocketInfo) {
    let kind = match info.r#type {
        info_type::LISTEN => "LISTEN",
        info_type::TCP => "TCP",
        info_type::UDP => "UDP",
        info_type::BIND => "BIND",
        info_type::CLOSING => "CLOSING",
        _ => "UNKNOWN",
    };
    let _ = write!(
        out,
        "{{\"id\":{},\"address\":\":{:08x}\",\"type\":\"{kind}\"",
        info.id, info.opaque as u32
    );
    if info.r#type == info_type::LISTEN {
        let _ = write!(out, ",\"accept\":{},\"rtime\":{}", info.read, info.rtime);
    } else {
        let _ = write!(
            out,
            ",\"read\":{},\"write\":{},\"wbuffer\":{},\"rtime\":{},\"wtime\":{},\"reading\":{},\"writing\":{}",
            info.read,
            info.write,
            info.wbuffer,
            info.rtime,
            info.wtime,
            info.reading != 0,
            info.writing != 0
        );
    }
    // SAFETY: the core ends the name with a NUL.
    let name = unsafe { CStr::from_ptr(info.name.as_ptr().cast::<c_char>()) };
    if !name.is_empty() {
        out.push_str(",\"name\":");
        text(out, &name.to_string_lossy());
    }
    out.push('}');
}

fn comma(out: &mut String, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(',');
    }
}

fn list<T>(out: &mut String, items: impl Iterator<Item = T>, one: impl Fn(&mut String, T)) {
    out.push('[');
    let mut first = true;
    for item in items {
        comma(out, &mut first);
        one(out, item);
    }
    out.push(']');
}

/// A text as JSON has it (RFC 8259).
fn text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0'..='\x1f' | '\x7f'..='\u{9f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_name_has_it_stays_one_text() {
        let mut out = String::new();
        text(&mut out, "a\"b\\c\n\u{1b}[0m 中");
        assert_eq!(out, "\"a\\\"b\\\\c\\u000a\\u001b[0m 中\"");
    }

    #[test]
    fn without_a_node_there_is_an_object_without_services() {
        let out = json(true);
        assert!(out.starts_with("{\"version\":1,\"pid\":"), "{out}");
        assert!(out.ends_with('}') && !out.contains(['\n', '\0']), "{out}");
    }
}
