//! Which functions the modules of the C core have, as interface facts, and which case calls each: `functions.tsv`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::{SUITES, folder, read, start, tools::scratch};

/// A module (or a kind of its objects, or a service) and a function of it.
type Function = (String, String);
/// A suite and the subject of a case in it.
type Case = (String, String);

/// Calls every function with wrong arguments: that is no case of what a function does.
const WRONG: &str = "wrong";
/// Modules that are the same table as another one, under which their functions are listed.
const SAME: &[(&str, &str)] = &[("md5.core", "md5"), ("skynet.manager", "skynet")];

fn columns(line: &str) -> Vec<String> {
    line.split('\t').map(str::to_owned).collect()
}

/// The rows of a file of tab separated columns.
fn rows(path: &Path) -> Vec<Vec<String>> {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(columns)
        .collect()
}

/// Adds what `watch.lua` has noted in a run of a suite.
fn merge(suite: &str, notes: &Path, cases: &mut BTreeMap<Function, BTreeSet<Case>>) {
    let mut by_id: BTreeMap<String, BTreeSet<Function>> = BTreeMap::new();
    let mut called = Vec::new();
    for row in rows(notes) {
        match row.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["has", module, key, id] => {
                let function = (module.to_owned(), key.to_owned());
                cases.entry(function.clone()).or_default();
                by_id.entry(id.to_owned()).or_default().insert(function);
            }
            ["called", id, subject] => called.push((id.to_owned(), subject.to_owned())),
            _ => panic!("a note that is none: {row:?}"),
        }
    }
    for (id, subject) in called {
        for function in by_id.get(&id).into_iter().flatten() {
            let case = (suite.to_owned(), subject.clone());
            cases.entry(function.clone()).or_default().insert(case);
        }
    }
}

/// The case to name: the one under the function's own name, else that of its module, else the first with a subject.
fn best<'a>((module, key): &Function, cases: &'a BTreeSet<Case>) -> Option<&'a Case> {
    let own = format!("{module}.{key}");
    cases.iter().min_by_key(|case| {
        let subject = case.1.as_str();
        (subject != own, subject != module, subject.is_empty(), *case)
    })
}

/// Runs all suites and writes which functions there are, and who calls them.
fn record(path: &Path) {
    let preload = format!("preload = \"{}/watch.lua\"\n", folder().display());
    let mut cases = BTreeMap::new();
    for suite in SUITES.iter().filter(|suite| **suite != WRONG) {
        let place = scratch(&format!("differential-functions-{suite}"));
        let (status, output) = start(suite, &place, &preload);
        assert!(
            output.contains("\n@@ done\n"),
            "{suite} ({status}): {output}"
        );
        merge(suite, &place.join("functions"), &mut cases);
    }
    let mut text = String::from(
        "# Module, function of it, and the suite and subject of a case that calls it (\"-\": exempt.tsv).\n",
    );
    for (function, cases) in &cases {
        let (module, key) = function;
        let (suite, subject) =
            best(function, cases).map_or(("-", ""), |(suite, subject)| (suite, subject));
        let _ = writeln!(text, "{module}\t{key}\t{suite}\t{subject}");
    }
    fs::write(path, text).expect("a file that can be written");
}

/// The functions without a case that need none, with their reasons.
fn exempt() -> BTreeSet<Function> {
    let mut functions = BTreeSet::new();
    for row in rows(&folder().join("exempt.tsv")) {
        let [module, keys, reason] = &row[..] else {
            panic!("exempt.tsv: {row:?}");
        };
        assert!(!reason.is_empty(), "no reason: {row:?}");
        functions.extend(keys.split('|').map(|key| (module.clone(), key.to_owned())));
    }
    functions
}

/// Subjects that a suite has records of.
fn subjects(suite: &str) -> BTreeSet<String> {
    let records = read(&folder().join(format!("expected/{suite}.tsv")), |_| ());
    records.into_keys().map(|(subject, _)| subject).collect()
}

#[test]
fn every_function_has_a_case() {
    let path = folder().join("functions.tsv");
    if let Some(target) = std::env::var_os("DIFFERENTIAL_FUNCTIONS") {
        return record(Path::new(&target));
    }
    let mut exempt = exempt();
    let known: BTreeMap<_, _> = SUITES
        .iter()
        .map(|suite| (*suite, subjects(suite)))
        .collect();
    let mut listed = BTreeSet::new();
    let mut missing = Vec::new();
    for row in rows(&path) {
        let [module, key, suite, subject] = &row[..] else {
            panic!("functions.tsv: {row:?}");
        };
        let function = (module.clone(), key.clone());
        // A service does not know during which case it was called.
        let has_case = known
            .get(suite.as_str())
            .is_some_and(|subjects| subject.is_empty() || subjects.contains(subject));
        if exempt.remove(&function) == has_case {
            missing.push(row.join(" "));
        }
        listed.insert(function);
    }
    assert!(
        missing.is_empty(),
        "neither a case nor a reason, or both: {missing:#?}"
    );
    assert!(exempt.is_empty(), "exempt, but not listed: {exempt:?}");
    // What the shapes of the modules have is listed.
    let shapes = read(&folder().join("expected/shapes.tsv"), |_| ());
    for ((subject, case), kind) in shapes {
        let Some(key) = case.strip_prefix("key ").filter(|_| kind == "function") else {
            continue;
        };
        let subject = SAME
            .iter()
            .find_map(|(name, other)| Some(format!("{other}{}", subject.strip_prefix(name)?)))
            .unwrap_or(subject);
        let plain = !key.starts_with("__") && !subject.contains(' ') && subject != "_G";
        let nested = subject
            .rsplit_once('.')
            .map(|(module, table)| (module.to_owned(), format!("{table}.{key}")));
        let is_listed = listed.contains(&(subject.clone(), key.to_owned()))
            || nested.is_some_and(|function| listed.contains(&function));
        assert!(
            !plain || is_listed,
            "functions.tsv does not list {subject}.{key}"
        );
    }
}

#[test]
fn the_case_under_the_name_of_the_function_is_named() {
    let case = |suite: &str, subject: &str| (suite.to_owned(), subject.to_owned());
    let cases = BTreeSet::from([
        case("a", ""),
        case("b", "other"),
        case("c", "m.f"),
        case("d", "m"),
    ]);
    let function = ("m".to_owned(), "f".to_owned());
    assert_eq!(best(&function, &cases), Some(&case("c", "m.f")));
    assert_eq!(best(&function, &BTreeSet::new()), None);
}
