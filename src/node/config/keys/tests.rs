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

#[test]
fn a_value_is_judged_as_its_reader_judges_it() {
    for (key, good, bad) in [
        ("api_version", &["1.4.0", "10400"][..], &["0.9", ""][..]),
        ("harbor", &["0", "255", "1.0"], &["256", "-1", "one", ""]),
        ("thread", &["8", "auto", "1024"], &["0", "1025", "many"]),
        ("log_time", &["iso"], &["noon", "ISO", ""]),
        ("log_level", &["off", "warning"], &["warn", "5"]),
        ("mailbox_policy", &["reject", "drop"], &["block"]),
        (
            "mailbox_limit",
            &["0", "64m", "1000.0"],
            &["1.5m", "-1", "x"],
        ),
        (
            "http_body_limit",
            &["0", "1.5m", " 64 k "],
            &["64kb", "-1", ""],
        ),
        ("http_idle_time", &["75", "0.5"], &["a minute", "1.2.3"]),
        (
            "login_clients",
            &["0", "4096", "0x10"],
            &["-1", "no", "inf"],
        ),
        ("harbor_names", &["10", "10.0", "1e3"], &["10.5", "-1"]),
        ("scheduler_seed", &["0", "7"], &["-1", "7.5", "seed"]),
        (
            "tcp_keepalive",
            &["60", "60 10 3", "60 10 3 90", "off"],
            &["on", "0", ""],
        ),
        ("crash_report", &["true", "false"], &["no", "0", ""]),
        (
            "debug_adapter",
            &["", "0", "4711", "unix:/run/x"],
            &["65536", "port"],
        ),
        ("start", &["main", ""], &[]),
        ("nobody_knows", &["x"], &[]),
    ] {
        for value in good {
            assert_eq!(misfit(key, value), None, "{key} = {value}");
        }
        for value in bad {
            assert!(misfit(key, value).is_some(), "{key} = {value}");
        }
    }
}

#[test]
fn numbers_may_have_a_unit() {
    for (text, number) in [
        ("0", Some(0)),
        ("1500", Some(1500)),
        ("1000000.0", Some(1_000_000)),
        ("3k", Some(3 << 10)),
        ("64M", Some(64 << 20)),
        ("2g", Some(2 << 30)),
        ("", None),
        ("k", None),
        ("-1", None),
        ("1.5m", None),
        ("10 m", None),
        ("1e6", None),
        ("99999999999999999999", None),
        ("9999999999999999g", None),
    ] {
        assert_eq!(size(text.as_bytes()), number, "{text}");
    }
}

#[test]
fn what_a_value_should_be_can_be_read() {
    for (key, text) in [
        ("mailbox_policy", "reject or drop"),
        ("log_time", "iso"),
        ("log_color", "auto, on or off"),
        ("harbor", "in [0,255]"),
    ] {
        assert_eq!(misfit(key, "?").as_deref(), Some(text), "{key}");
    }
    assert_eq!(
        refusal(c"mailbox_policy", c"x"),
        "Invalid mailbox_policy x , should be reject or drop"
    );
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
