//! Tests that are Lua files of cases, each file run by a node. A filter (`cargo test --test lua NAME`) takes the files whose
//! name or property has `NAME` in it, and of the others the cases that have: each of these runs alone, on a node of its own.

use super::node::run_test_in;
use super::{compiler, lua_headers, root, run, scratch};
use libtest_mimic::{Arguments, Trial};
use std::path::PathBuf;

/// A file `NAME.lua` and what it proves.
pub struct LuaFile {
    file: &'static str,
    property: &'static str,
    run: fn(&Run),
}

/// `run` calls [`Run::node`], and looks at what the node printed.
pub const fn lua_file(file: &'static str, property: &'static str, run: fn(&Run)) -> LuaFile {
    LuaFile {
        file,
        property,
        run,
    }
}

/// One run of a file.
#[derive(Clone)]
pub struct Run {
    folder: &'static str,
    file: &'static str,
    case: Option<String>,
}

impl Run {
    /// Runs the file, as `run_test` of [`super::node`] does. Answers what the node printed.
    pub fn node(&self, config: &str) -> String {
        let case = self
            .case
            .as_ref()
            .map_or(String::new(), |case| format!("\ncase = {case:?}"));
        let config = format!("{config}{case}");
        run_test_in(&self.scratch("node"), self.folder, self.file, &config)
    }

    /// The same with files of `test-c/modules`: language, file, and the name of the module. They are compiled with nothing but the
    /// headers that `compat/lua-headers.sh` gives, and linked with nothing.
    pub fn with_modules(&self, modules: &[(&str, &str, &str)]) {
        let (headers, folder) = (lua_headers(&[]), self.scratch("modules"));
        for (language, file, name) in modules {
            let source = root().join(format!("test-c/modules/{file}.c"));
            run(compiler(language)
                .args(["-shared", "-fPIC", "-O1"])
                .arg(format!("-DOPEN=luaopen_{name}"))
                .arg("-I")
                .args([&headers, &source])
                .arg("-o")
                .arg(folder.join(name).with_extension("so")));
        }
        self.node(&format!("lua_cpath = {:?}", folder.join("?.so")));
    }

    /// An empty folder of this run alone: cases of a file may run at the same time.
    pub fn scratch(&self, purpose: &str) -> PathBuf {
        let case = self.case.as_deref().unwrap_or("all");
        scratch(&format!("{}-{}-{case}-{purpose}", self.folder, self.file))
    }

    /// Whether all cases are run: only then has the output what belongs to the file as a whole.
    pub fn is_whole(&self) -> bool {
        self.case.is_none()
    }
}

/// The file needs nothing but itself.
pub fn plain(run: &Run) {
    run.node("");
}

/// The `main` of `tests/FOLDER/main.rs`.
pub fn main(folder: &'static str, files: &[LuaFile]) -> ! {
    let arguments = Arguments::from_args();
    let trials = files
        .iter()
        .flat_map(|file| trials(folder, file, &arguments))
        .collect();
    libtest_mimic::run(&arguments, trials).exit()
}

fn trials(folder: &'static str, file: &LuaFile, arguments: &Arguments) -> Vec<Trial> {
    let selects = |name: &str| match &arguments.filter {
        None => true,
        Some(filter) if arguments.exact => name == filter,
        Some(filter) => name.contains(filter),
    };
    let trial = |name: String, case: Option<String>| {
        let test = file.run;
        let run = Run {
            folder,
            file: file.file,
            case,
        };
        Trial::test(name, move || {
            test(&run);
            Ok(())
        })
    };
    let whole = format!("{}::{}", file.file, file.property);
    let mut trials = Vec::new();
    if selects(&whole) {
        trials.push(trial(whole, None));
        if !arguments.list {
            return trials;
        }
    }
    for case in cases(folder, file.file) {
        let name = format!("{}::{case}", file.file);
        if selects(&name) {
            trials.push(trial(name, Some(case)));
        }
    }
    trials
}

/// The names of the cases in a file, which defines each as `function cases.NAME()`.
fn cases(folder: &str, file: &str) -> Vec<String> {
    let path = root().join("tests").join(folder).join(file);
    let text = std::fs::read_to_string(path.with_extension("lua")).expect("the Lua file");
    text.lines()
        .filter_map(|line| line.trim_start().strip_prefix("function cases."))
        .filter_map(|rest| rest.split_once('('))
        .map(|(name, _)| name.to_owned())
        .collect()
}
