//! The keys of a config file that something in this program reads, so that a misspelled one can be told.
//!
//! Projects add keys of their own and read them with `skynet.getenv`: an unknown key is no mistake. One that is a slip of
//! the finger away from a known one, which the config does not have, most likely is.
//!
//! The table says of each what its value may be ([`Kind`]). The node judges values by it at its start, and `skynet check` the
//! configs of a project.

mod kind;

use crate::base::env;
use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::path::Path;
use std::sync::Mutex;

#[cfg(feature = "lua")]
pub use kind::MAX_THREADS;
pub use kind::{Kind, keepalive, size};

/// Every key that the core, `snlua`, the Lua layer and its services read, sorted. Kept complete by a test that looks for
/// `skynet.getenv` and for the keys that the Rust code asks for.
pub const KEYS: &[(&str, Kind)] = &[
    ("address", Kind::Plain),
    ("api_version", Kind::Release),
    ("bootstrap", Kind::Plain),
    ("certfile", Kind::File),
    ("cluster", Kind::File),
    ("cluster_advertise", Kind::Plain),
    ("cluster_allow", Kind::Plain),
    ("cluster_discovery", Kind::Plain),
    ("cluster_discovery_ca", Kind::File),
    ("cluster_discovery_cert", Kind::File),
    ("cluster_discovery_key", Kind::File),
    ("cluster_drain", Kind::Number),
    ("cluster_lease", Kind::Integer),
    ("cluster_name", Kind::Plain),
    ("cluster_secret", Kind::Plain),
    ("cluster_tls_ca", Kind::File),
    ("cluster_tls_cert", Kind::File),
    ("cluster_tls_key", Kind::File),
    ("cluster_tls_names", Kind::Plain),
    ("cluster_trace", Kind::Whole),
    ("cluster_zone", Kind::Plain),
    ("cpath", Kind::Patterns),
    ("crash_report", Kind::Switch),
    ("daemon", Kind::NewFile),
    ("dashboard", Kind::Word(&["true", "false", "1", "0"])),
    ("dashboard_guesses", Kind::Number),
    ("dashboard_host", Kind::Plain),
    ("dashboard_origin", Kind::Plain),
    ("dashboard_password", Kind::Plain),
    ("debug_adapter", Kind::Listener),
    ("debug_adapter_host", Kind::Plain),
    ("debug_adapter_password", Kind::Plain),
    ("debug_adapter_wait", Kind::Switch),
    ("debug_console_clients", Kind::Number),
    ("debug_console_guesses", Kind::Number),
    ("debug_console_handshake", Kind::Number),
    ("debug_console_host", Kind::Plain),
    ("debug_console_idle", Kind::Number),
    ("debug_console_password", Kind::Plain),
    ("debug_console_paths", Kind::Patterns),
    ("debug_console_timeout", Kind::Number),
    ("enablessl", Kind::Switch),
    ("gate_frame", Kind::Number),
    ("gate_handshake", Kind::Number),
    ("gate_idle", Kind::Number),
    ("gate_peraddress", Kind::Number),
    ("gate_unread", Kind::Amount),
    ("gc_when_quiet", Kind::Switch),
    ("harbor", Kind::Range(0, 255)),
    ("harbor_handshake", Kind::Number),
    ("harbor_master_clients", Kind::Number),
    ("harbor_names", Kind::Integer),
    ("harbor_peraddress", Kind::Number),
    ("harbor_strangers", Kind::Number),
    ("http_body_limit", Kind::Amount),
    ("http_body_time", Kind::Amount),
    ("http_connections", Kind::Amount),
    ("http_connections_per_address", Kind::Amount),
    ("http_fields_limit", Kind::Amount),
    ("http_header_limit", Kind::Amount),
    ("http_header_time", Kind::Amount),
    ("http_idle_time", Kind::Amount),
    ("http_memory", Kind::Amount),
    ("http_requests", Kind::Amount),
    ("keyfile", Kind::File),
    ("log_color", Kind::Word(&["auto", "on", "off"])),
    ("log_error_rate", Kind::Whole),
    ("log_format", Kind::Word(&["text", "json"])),
    ("log_keep", Kind::Whole),
    (
        "log_level",
        Kind::Word(&["debug", "info", "warning", "error", "off"]),
    ),
    ("log_limit", Kind::Size),
    ("log_rotate_daily", Kind::Switch),
    ("log_rotate_size", Kind::Size),
    ("log_time", Kind::Word(&["iso"])),
    ("logger", Kind::NewFile),
    ("login_clients", Kind::Number),
    ("login_handshake", Kind::Number),
    ("login_peraddress", Kind::Number),
    ("logpath", Kind::Folder),
    ("logservice", Kind::Plain),
    ("lua_cpath", Kind::Patterns),
    ("lua_path", Kind::Patterns),
    ("lualoader", Kind::File),
    ("luaservice", Kind::Patterns),
    ("mailbox_limit", Kind::Size),
    ("mailbox_policy", Kind::Word(&["reject", "drop"])),
    ("master", Kind::Plain),
    ("metrics_clients", Kind::Number),
    ("metrics_handshake", Kind::Number),
    ("metrics_peraddress", Kind::Number),
    ("msgserver_handshake", Kind::Number),
    ("preload", Kind::File),
    ("profile", Kind::Switch),
    ("profile_path", Kind::Plain),
    ("scheduler_seed", Kind::Whole),
    ("shutdown_grace", Kind::Number),
    ("signal_when_idle", Kind::Word(&["next"])),
    ("snax", Kind::Patterns),
    ("snax_interface_g", Kind::Plain),
    ("snax_loader", Kind::File),
    ("socket_write_limit", Kind::Size),
    ("socket_write_total", Kind::Size),
    ("standalone", Kind::Plain),
    ("start", Kind::Plain),
    ("tcp_keepalive", Kind::KeepAlive),
    ("test_file", Kind::File),
    ("test_filter", Kind::Plain),
    ("test_limit", Kind::Number),
    ("test_report", Kind::NewFile),
    ("thread", Kind::Threads),
    ("virtual_time", Kind::Switch),
    ("websocket_client_message_limit", Kind::Amount),
    ("websocket_close_time", Kind::Amount),
    ("websocket_connections", Kind::Amount),
    ("websocket_connections_per_address", Kind::Amount),
    ("websocket_deflate", Kind::Switch),
    ("websocket_handshake_time", Kind::Amount),
    ("websocket_idle_time", Kind::Amount),
    ("websocket_memory", Kind::Amount),
    ("websocket_message_limit", Kind::Amount),
    ("websocket_message_time", Kind::Amount),
    ("websocket_strict", Kind::Switch),
];

/// Keys that the core sets itself when the config has them not.
const DEFAULTED: &[&str] = &[
    "bootstrap",
    "cpath",
    "harbor",
    "logservice",
    "profile",
    "thread",
];

/// Keys with whose values the node does not start when it does not understand them.
#[cfg(feature = "lua")]
const REFUSED: &[&str] = &[
    "api_version",
    "harbor",
    "log_limit",
    "mailbox_limit",
    "mailbox_policy",
    "scheduler_seed",
    "socket_write_limit",
    "socket_write_total",
    "tcp_keepalive",
    "thread",
];

/// Keys whose reader names a value that it does not understand, as soon as the node starts.
const NAMED_BY_READER: &[&str] = &[
    "log_color",
    "log_format",
    "log_keep",
    "log_rotate_daily",
    "log_rotate_size",
    "log_time",
    "shutdown_grace",
];

/// What the value of a known key may be.
pub fn kind(key: &str) -> Option<Kind> {
    let place = KEYS.binary_search_by(|(known, _)| known.cmp(&key)).ok()?;
    Some(KEYS[place].1)
}

/// Whether the node starts with a value of the key that it does not understand: it is as if the key were not there, or what reads it
/// fails.
#[cfg(feature = "lua")]
pub fn starts_without(key: &str) -> bool {
    !REFUSED.contains(&key)
}

/// What the value of a key should be, if it is not that.
pub fn misfit(key: &str, value: &str) -> Option<String> {
    let kind = kind(key)?;
    (!kind.admits(value)).then(|| kind.allowed())
}

/// The line for a user whose node does not start with that value.
pub fn refusal(key: &CStr, value: &CStr) -> String {
    let (key, value) = (key.to_string_lossy(), value.to_string_lossy());
    let allowed = kind(&key).map(Kind::allowed).unwrap_or_default();
    format!("Invalid {key} {value} , should be {allowed}")
}

/// Values of the environment that are not understood, each with its key and what it should be. Not those that something else names.
pub fn misfits() -> Vec<(&'static str, String, String)> {
    let keys = KEYS.iter().map(|(key, _)| *key);
    keys.filter(|key| !NAMED_BY_READER.contains(key))
        .filter_map(|key| {
            let value = env::get(&CString::new(key).ok()?)?.to_string_lossy();
            Some((key, value.to_string(), misfit(key, &value)?))
        })
        .collect()
}

/// The known key that `key` was most likely meant to be. `has` says which keys the config has: one that is there was not
/// misspelled.
pub fn nearest(key: &str, has: impl Fn(&str) -> bool) -> Option<&'static str> {
    if kind(key).is_some() {
        return None;
    }
    // Two slips only in a long word; in a short one nearly everything is near.
    let most = if key.len() >= 8 { 2 } else { 1 };
    let candidates = KEYS.iter().map(|(known, _)| *known);
    candidates
        .map(|known| (distance(key, known), known))
        .filter(|(slips, known)| *slips <= most && known.len() >= 4 && !has(known))
        .filter(|(_, known)| !has_another_word(key, known))
        .min()
        .map(|(_, known)| known)
}

/// Whether one of the words is another one, as in `console_port` and `console_host`: two slips in a short word are none.
fn has_another_word(key: &str, known: &str) -> bool {
    let (key, known) = (key.split('_'), known.split('_'));
    key.clone().count() == known.clone().count()
        && key
            .zip(known)
            .any(|(one, other)| one.len().min(other.len()) < 8 && distance(one, other) > 1)
}

/// Keys that the config file itself reads.
static USED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Notes keys that the config file reads itself, to make others of them: none of those is misspelled.
#[cfg(feature = "lua")]
pub fn note_used(keys: impl IntoIterator<Item = String>) {
    if let Ok(mut used) = USED.lock() {
        used.extend(keys);
    }
}

fn is_used(key: &str) -> bool {
    USED.lock().is_ok_and(|used| used.contains(key))
}

/// Keys of the environment that are most likely misspelled, each with the one that was meant, in alphabetical order.
pub fn misspelled() -> Vec<(String, &'static str)> {
    let names = env::keys();
    let mut keys: Vec<_> = names.iter().filter_map(|key| key.to_str().ok()).collect();
    keys.sort_unstable();
    // Defaults have been set by now: what is in the environment need not stand in the config. So a key counts as there only
    // if the core gives it no default.
    let has = |key: &str| !DEFAULTED.contains(&key) && keys.binary_search(&key).is_ok();
    keys.iter()
        .filter(|key| !is_used(key))
        .filter_map(|key| Some(((*key).to_owned(), nearest(key, has)?)))
        .collect()
}

/// Patterns of the environment without a `?`, each with its key: whatever is looked for, they name the same file. For modules
/// that may be meant, if there is such a file; for services never.
pub fn without_name() -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for (key, _) in KEYS.iter().filter(|(_, kind)| *kind == Kind::Patterns) {
        let Ok(name) = CString::new(*key) else {
            continue;
        };
        let value = env::get(&name).unwrap_or_default().to_string_lossy();
        let meant = |pattern: &str| *key != "luaservice" && Path::new(pattern).is_file();
        let patterns = value.split(';').filter(|pattern| !pattern.is_empty());
        let wrong = patterns.filter(|pattern| !pattern.contains('?') && !meant(pattern));
        found.extend(wrong.map(|pattern| (*key, pattern.to_owned())));
    }
    found
}

/// Slips between two words: letters left out, added, replaced, or two neighbours swapped; case counts for nothing.
fn distance(one: &str, other: &str) -> usize {
    if one.len().abs_diff(other.len()) > 2 {
        return usize::MAX;
    }
    let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let width = other.len() + 1;
    // Row i, column j: slips between the first i letters of `one` and the first j of `other`.
    let mut table = vec![0; (one.len() + 1) * width];
    for i in 0..=one.len() {
        for j in 0..=other.len() {
            table[i * width + j] = match (i, j) {
                (0, _) => j,
                (_, 0) => i,
                _ => {
                    let cost = usize::from(one[i - 1] != other[j - 1]);
                    let mut least = (table[(i - 1) * width + j] + 1)
                        .min(table[i * width + j - 1] + 1)
                        .min(table[(i - 1) * width + j - 1] + cost);
                    if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                        least = least.min(table[(i - 2) * width + j - 2] + 1);
                    }
                    least
                }
            };
        }
    }
    table[one.len() * width + other.len()]
}

#[cfg(test)]
mod tests;
