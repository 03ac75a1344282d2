use super::*;
use std::collections::BTreeSet;
use std::path::Path;

fn meant(key: &str) -> Option<&'static str> {
    nearest(key, |_| false)
}

#[test]
fn a_slip_of_the_finger_is_recognised() {
    for (key, known) in [
        ("thrad", "thread"),
        ("threads", "thread"),
        ("harbour", "harbor"),
        ("bootstarp", "bootstrap"),
        ("Thread", "thread"),
        ("luaservices", "luaservice"),
        ("lua_ptah", "lua_path"),
        ("logservise", "logservice"),
    ] {
        assert_eq!(meant(key), Some(known), "{key}");
    }
}

#[test]
fn keys_of_projects_are_left_alone() {
    for key in [
        "thread",
        "port",
        "redis_host",
        "root",
        "gateport",
        "x",
        "mysql",
        "stat",
        "debug_console_port",
        "log_home",
    ] {
        assert_eq!(meant(key), (key == "stat").then_some("start"), "{key}");
    }
    assert_eq!(nearest("threads", |key| key == "thread"), None);
}

#[test]
fn keys_are_sorted() {
    assert!(KEYS.is_sorted_by_key(|(key, _)| key));
}

/// Every key that code of this project asks for is known.
#[test]
fn no_key_is_missing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut asked = BTreeSet::new();
    for folder in ["lualib", "service", "service-src", "src"] {
        collect(&root.join(folder), &mut asked);
    }
    for key in [
        "standalone",
        "mailbox_limit",
        "gate_frame",
        "login_clients",
        "debug_console_idle",
    ] {
        assert!(asked.contains(key), "{key} is asked for");
    }
    let unknown: Vec<_> = asked.iter().filter(|key| kind(key).is_none()).collect();
    assert!(unknown.is_empty(), "not in KEYS: {unknown:?}");
}

fn collect(folder: &Path, asked: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, asked);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            // Tests set keys of their own.
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            // The process's environment is another one.
            let text = text.replace("os.getenv", "").replace("push_text(c", "");
            for call in [
                "getenv",
                // Functions of the layer around it.
                "limit(",
                "seconds",
                "env::get(c",
                "number(c",
                "text(c",
                "setting(context, c",
                "= setting",
            ] {
                let uses = text.split(call).skip(1);
                // Not the name of a function in quotes.
                let uses = uses.filter(|after| !after.starts_with("\","));
                asked.extend(uses.filter_map(literal));
            }
        }
    }
}

/// The text in quotes that follows at once, with or without a bracket, if it can be a key; not one that is only the
/// beginning of it.
fn literal(rest: &str) -> Option<String> {
    let rest = rest.trim_start_matches(['(', ' ']);
    let (key, behind) = rest.strip_prefix('"')?.split_once('"')?;
    let whole = !behind.trim_start().starts_with("..");
    let named = key
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (whole && named).then(|| key.to_owned())
}
