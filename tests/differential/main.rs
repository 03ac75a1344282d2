//! What Lua programs can see, held against what the C core was seen to do: `tests/differential/README.md`.
#![cfg(feature = "lua")]

mod functions;
#[path = "../tools/mod.rs"]
mod tools;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use tools::node::{executable, other_tree, run_node};
use tools::peer::free_port;
use tools::{root, scratch};

/// Observations by subject and case.
type Records = BTreeMap<(String, String), String>;

/// How many differences a failure shows.
const SHOWN: usize = 60;

/// Words at the beginning of errors that Lua raises by itself.
const RAISED_BY_LUA: [&str; 6] = [
    "attempt to ",
    "assertion failed!",
    "bad argument #",
    "invalid value (",
    "table index is nil",
    "<no error object>",
];

fn folder() -> PathBuf {
    root().join("tests/differential")
}

fn config(suite: &str, more: &str) -> String {
    let own = folder().display().to_string();
    let mut services = format!("{own}/suites/?.lua;{own}/services/?.lua;{own}/?.lua");
    let mut modules = format!("{own}/?.lua");
    let mut text = String::new();
    if let Some(tree) = other_tree() {
        let tree = tree.display().to_string();
        services += &format!(";{tree}/service/?.lua");
        modules += &format!(";{tree}/lualib/?.lua;{tree}/lualib/?/init.lua");
        text += &format!(
            "lualoader = \"{tree}/lualib/loader.lua\"\nlua_cpath = \"{tree}/luaclib/?.so\"\n\
             cpath = \"{tree}/cservice/?.so\"\n"
        );
    }
    let ports = [(); 4].map(|()| free_port().to_string());
    if suite == "harbors" {
        let [master, own, ..] = &ports;
        let _ = write!(
            text,
            "harbor = 1\nmaster = \"127.0.0.1:{master}\"\nstandalone = master\naddress = \"127.0.0.1:{own}\"\n"
        );
    } else {
        text += "harbor = 0\n";
    }
    text + &format!(
        "thread = 2\nbootstrap = \"snlua bootstrap\"\nstart = {suite:?}\nlogger = \"differential_log\"\n\
         logservice = \"snlua\"\nluaservice = \"{services}\"\nlua_path = \"{modules}\"\n\
         snax = \"{own}/services/?.lua\"\nports = \"{}\"\nexecutable = \"{}\"\n{more}",
        ports.join(" "),
        executable().display()
    )
}

/// Runs a suite in a folder; answers the node's status and what it printed. `more` is appended to the config.
fn start(suite: &str, place: &Path, more: &str) -> (ExitStatus, String) {
    fs::write(place.join("config"), config(suite, more)).expect("config");
    run_node(place, "config")
}

/// Runs a suite to its end.
fn observe(suite: &str) -> Records {
    let place = scratch(&format!("differential-{suite}"));
    let (status, output) = start(suite, &place, "");
    // What the log service has written.
    let log = || fs::read_to_string(place.join("log")).unwrap_or_default();
    assert!(
        output.contains("\n@@ done\n") && !output.contains("\nFAILED "),
        "{suite} did not get to its end ({status}):\n{output}\nits log:\n{}",
        log()
    );
    let mut records = Records::new();
    for line in output.lines().filter_map(|line| line.strip_prefix("@ ")) {
        let mut columns = line.splitn(3, '\t');
        let [subject, case, observation] = [(); 3].map(|()| columns.next().unwrap_or_default());
        let previous = records.insert((subject.into(), case.into()), observation.into());
        assert!(previous.is_none(), "two records of {subject}, {case}");
    }
    records
}

/// One line for the cases of a subject in which the same was observed.
fn to_text(records: &Records) -> String {
    let mut lines: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for ((subject, case), observation) in records {
        lines.entry((subject, observation)).or_default().push(case);
    }
    let mut text = String::new();
    for ((subject, observation), cases) in lines {
        let _ = writeln!(text, "{subject}\t{}\t{observation}", cases.join("|"));
    }
    text
}

/// Reads what `to_text` wrote; a fourth column goes to `reasons`.
fn read(path: &Path, mut reasons: impl FnMut(&str)) -> Records {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut records = Records::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut columns = line.split('\t');
        let [subject, cases, observation] =
            [(); 3].map(|()| columns.next().expect("three columns"));
        columns.next().into_iter().for_each(&mut reasons);
        for case in cases.split('|') {
            records.insert((subject.into(), case.into()), observation.into());
        }
    }
    records
}

/// The length of a complaint of Lua's own at the beginning of a text; `None` if there is none.
fn complaint(text: &str) -> Option<usize> {
    let own = RAISED_BY_LUA.iter().any(|&word| text.starts_with(word));
    own.then(|| length_of_error(text))
}

/// Up to where the text of an error goes: an observation continues with a quotation mark or the traceback.
fn length_of_error(text: &str) -> usize {
    ["\"", " +traceback"]
        .iter()
        .filter_map(|end| text.find(end))
        .min()
        .unwrap_or(text.len())
}

/// The same, but where Lua itself complained any other error will do: one that explains itself is better.
fn is_like(expected: &str, observed: &str) -> bool {
    let mut starts = expected.match_indices("error ").filter_map(|(at, word)| {
        let rest = &expected[at + word.len()..];
        let mark = ["\"", ": "].iter().find(|mark| rest.starts_with(**mark))?;
        let at = at + word.len() + mark.len();
        complaint(&expected[at..]).map(|length| (at, at + length))
    });
    match starts.next() {
        None => expected == observed,
        Some((start, end)) => {
            let (Some(error), true) = (
                observed.get(start..),
                observed.get(..start) == expected.get(..start),
            ) else {
                return false;
            };
            is_like(&expected[end..], &error[length_of_error(error)..])
        }
    }
}

/// Whether a record is about a new field of a module, and the reference of the Lua API has that field.
fn is_documented_addition(subject: &str, case: &str, reference: &str) -> bool {
    let Some(key) = case.strip_prefix("key ") else {
        return false;
    };
    let module = match subject {
        "skynet.manager" => "skynet", // adds to that table
        _ => subject.rsplit('.').next().unwrap_or(subject),
    };
    reference.contains(&format!("\n#### `{module}.{key}("))
}

/// What differs from the expectations and is not in the list of differences, one line each.
fn unexpected(
    observed: &Records,
    expected: &Records,
    on_purpose: &Records,
    reference: &str,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut keys: Vec<_> = observed.keys().chain(expected.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let [seen, right, ours] = [observed, expected, on_purpose]
            .map(|records| records.get(key).map_or("-", String::as_str));
        let (subject, case) = key;
        if !on_purpose.contains_key(key) {
            let added = right == "-" && is_documented_addition(subject, case, reference);
            if !added && !is_like(right, seen) {
                wrong.push(format!(
                    "{subject}\t{case}\n\texpected {right}\n\tgot      {seen}"
                ));
            }
        } else if ours != seen {
            wrong.push(format!(
                "{subject}\t{case}\n\tlisted as different with {ours}\n\tgot      {seen}\n\texpected {right}"
            ));
        }
    }
    wrong
}

fn differences() -> Records {
    let quirks =
        fs::read_to_string(root().join("compat/QUIRKS.md")).expect("the list of behaviours");
    read(&folder().join("differences.tsv"), |reason| {
        assert!(
            quirks.contains(&format!("**{reason}**")),
            "QUIRKS.md does not explain {reason:?}"
        );
    })
}

/// Records or compares a suite, as the environment says.
fn run(suite: &str) {
    let observed = observe(suite);
    assert!(!observed.is_empty());
    let file = format!("{suite}.tsv");
    if let Some(folder) = std::env::var_os("DIFFERENTIAL_RECORD") {
        fs::write(Path::new(&folder).join(file), to_text(&observed))
            .expect("a folder that can be written");
        return;
    }
    let other = std::env::var_os("DIFFERENTIAL_EXPECTED");
    let on_purpose = differences();
    let expected = match &other {
        Some(folder) => read(&Path::new(folder).join(file), |_| ()),
        None => read(&folder().join("expected").join(file), |_| ()),
    };
    let listed = of_suite(&on_purpose, &observed, &expected);
    let reference = fs::read_to_string(root().join("docs/lua-api.md")).expect("the reference");
    let wrong = unexpected(&observed, &expected, &listed, &reference);
    assert!(
        wrong.is_empty(),
        "{} of {} records differ:\n{}",
        wrong.len(),
        observed.len(),
        wrong[..wrong.len().min(SHOWN)].join("\n")
    );
}

/// The part of the list that a suite's records can be held against.
fn of_suite(list: &Records, observed: &Records, expected: &Records) -> Records {
    let known =
        |key: &&(String, String)| observed.contains_key(*key) || expected.contains_key(*key);
    list.iter()
        .filter(|(key, _)| known(key))
        .map(|(key, ours)| (key.clone(), ours.clone()))
        .collect()
}

macro_rules! suites {
    ($($name:ident)*) => {
        const SUITES: &[&str] = &[$(stringify!($name)),*];

        $(
            #[test]
            fn $name() {
                run(stringify!($name));
            }
        )*

        #[test]
        fn every_suite_is_run() {
            let mut files: Vec<_> = fs::read_dir(folder().join("suites"))
                .expect("the suites")
                .filter_map(|entry| entry.ok()?.path().file_stem()?.to_str().map(str::to_owned))
                .collect();
            files.sort();
            assert_eq!(files, SUITES);
        }
    };
}

suites! {
    calls
    clusters
    codecs
    consoles
    databases
    elders
    gates
    harbors
    parts
    protocols
    services
    shapes
    sharing
    sockets
    statements
    tasks
    tls
    web
    wrong
}

fn records(list: &[(&str, &str, &str)]) -> Records {
    let owned = |&(subject, case, text): &(&str, &str, &str)| {
        ((subject.to_owned(), case.to_owned()), text.to_owned())
    };
    list.iter().map(owned).collect()
}

#[test]
fn what_is_recorded_is_read_again() {
    let all = records(&[
        ("a.b", "first 0", "nil"),
        ("a.b", "more", "nil"),
        ("a.b", "right", "1 \"x\""),
    ]);
    let file = scratch("differential-records").join("records.tsv");
    fs::write(&file, to_text(&all)).expect("records");
    assert_eq!(
        fs::read_to_string(&file).expect("records").lines().count(),
        2
    );
    assert_eq!(read(&file, |_| ()), all);
}

#[test]
fn only_listed_differences_pass() {
    let expected = records(&[
        ("m.f", "right", "1"),
        ("m.f", "gone", "2"),
        ("m.f", "first 0", "error \"attempt to call\""),
    ]);
    let observed = records(&[
        ("m.f", "right", "3"),
        ("m.f", "new", "4"),
        ("m.f", "first 0", "error \"m.f: a name\""),
    ]);
    let none = Records::new();
    assert_eq!(unexpected(&expected, &expected, &none, "").len(), 0);
    assert_eq!(unexpected(&observed, &expected, &none, "").len(), 3);
    let listed = records(&[
        ("m.f", "right", "3"),
        ("m.f", "gone", "-"),
        ("m.f", "new", "4"),
    ]);
    assert_eq!(unexpected(&observed, &expected, &listed, "").len(), 0);
    let otherwise = records(&[
        ("m.f", "right", "5"),
        ("m.f", "gone", "-"),
        ("m.f", "new", "4"),
    ]);
    assert_eq!(unexpected(&observed, &expected, &otherwise, "").len(), 1);
}

#[test]
fn any_error_will_do_where_lua_itself_complained() {
    let logged = |text: &str| {
        format!("error \"call failed\" logs \"lua call [REQUEST] error : {text} +traceback\" \"x\"")
    };
    let (there, here) = (logged("assertion failed!"), logged("no shared data one"));
    assert!(is_like(&there, &here) && is_like(&there, &there));
    assert!(!is_like(&here, &there) && !is_like(&here, &logged("another")));
    assert!(is_like(
        "error \"attempt to call a nil value\"",
        "error \"m.f: a function\""
    ));
    assert!(!is_like("error \"attempt to call a nil value\"", "nil"));
}

#[test]
fn new_functions_pass_when_they_are_documented() {
    let observed = records(&[("skynet.socket", "key write_limit", "function")]);
    let none = Records::new();
    let reference = "\n#### `socket.write_limit(id, bytes)`\n";
    assert_eq!(unexpected(&observed, &none, &none, reference).len(), 0);
    assert_eq!(unexpected(&observed, &none, &none, "").len(), 1);
    assert_eq!(unexpected(&none, &observed, &none, reference).len(), 1);
}
