//! The documentation is about this version.

use std::fs;

use super::markdown::blocks;
use crate::tools::node::run_node;
use crate::tools::{root, scratch};

#[test]
fn lua_reference_is_what_the_comments_say() {
    let place = scratch("lua-api");
    let (written, config) = (place.join("lua-api.md"), place.join("config"));
    let stubs = (
        place.join("stubs.txt"),
        "crates/skynet-cli/src/types/stubs.txt",
    );
    let settings = fs::read_to_string(root().join("docs/tools/config")).expect("config");
    let changed = settings
        .replace("docs/lua-api.md\"", &format!("{}\"", written.display()))
        .replace(stubs.1, &stubs.0.display().to_string());
    fs::write(&config, changed).expect("config");
    let (status, output) = run_node(root(), &config.display().to_string());
    assert!(status.success(), "{status}\n{output}");
    assert!(output.contains("the reference is written"), "{output}");
    let [written, kept] = [written, root().join("docs/lua-api.md")]
        .map(|path| fs::read_to_string(path).expect("reference"));
    for (number, (new, old)) in written.lines().zip(kept.lines()).enumerate() {
        assert_eq!(
            new,
            old,
            "line {} is not what the comments say: cargo run -- docs/tools/config",
            number + 1
        );
    }
    assert_eq!(written.len(), kept.len(), "cargo run -- docs/tools/config");
    let [made, kept] =
        [stubs.0, root().join(stubs.1)].map(|path| fs::read_to_string(path).expect("stubs"));
    assert!(
        made == kept,
        "stubs of modules in Rust: cargo run -- docs/tools/config"
    );
}

/// What the reference says about a module of that text, of which all functions are public.
fn reference_of(test: &str, module: &str) -> String {
    let place = scratch(test);
    let tools = root().join("docs/tools").display().to_string();
    fs::create_dir(place.join("lualib")).expect("a folder");
    for (name, text) in [
        ("lualib/sample.lua", module),
        ("modules.lua", "return { { \"sample\" } }"),
        (
            "config",
            &format!(
                "thread = 1\nharbor = 0\nstart = \"api\"\napi_output = \"out.md\"\n\
                 luaservice = \"{tools}/?.lua\"\nlua_path = \"./?.lua;{tools}/?.lua\"\n"
            ),
        ),
    ] {
        fs::write(place.join(name), text).expect("a file");
    }
    run_node(&place, "config").1
}

#[test]
fn public_function_tells_editors_its_parameters_and_results() {
    let output = reference_of(
        "annotated",
        r##"--- A module.

---@class sample
local sample = {}

--- Adds.
---@param a number
---@param ... number
---@return number
function sample.add(a, ...)
	return a + select("#", ...)
end

--- Calls back; what that returns is nobody's.
---@param func fun()
function sample.run(func)
	table.sort({}, function(a, b)
		return a < b
	end)
	func()
end

--- now() -> integer: the time.
---@type fun(): integer
sample.now = os.time

return sample
"##,
    );
    assert!(output.contains("the reference is written"), "{output}");
    let output = reference_of(
        "unannotated",
        r##"local sample = {}

--- Adds.
---@param b number. A sentence
function sample.add(a, ...)
	if a then
		return
			a
	end
end

--- Nothing.
---@return number
function sample.run()
	return
end

--- now() -> integer: the time.
sample.now = os.time

--- Is elsewhere.
function sample.late(...)
	return require "other".late(...)
end

function sample.silent()
end

return sample
"##,
    );
    for mistake in [
        "sample.add: no type: @param b number. A sentence, ---@param a, ---@param ..., there is no parameter b, ---@return\n",
        "sample.add: ---@class of sample",
        "sample.run: ---@return of a function that returns nothing",
        "sample.now: ---@type fun(...)",
        "sample: nothing tells what late takes",
        "sample.silent: no comment",
    ] {
        assert!(output.contains(mistake), "no {mistake:?} in\n{output}");
    }
}

#[test]
fn getting_started_leads_to_what_it_says() {
    let text = fs::read_to_string(root().join("docs/getting-started.md")).expect("the guide");
    let blocks = blocks(&text);
    let place = scratch("getting-started");
    let mut files = blocks.iter().filter(|(language, _)| *language == "lua");
    for name in ["config", "main.lua", "shop.lua"] {
        let (_, code) = files.next().expect("three files");
        fs::write(place.join(name), code).expect("file of the newcomer");
    }
    let (status, output) = run_node(&place, "config");
    assert!(status.success(), "{status}\n{output}");
    let (_, promised) = blocks
        .iter()
        .find(|(language, _)| *language == "text")
        .expect("what is printed");
    for line in promised.lines().filter(|line| *line != "...") {
        assert!(output.contains(line), "no {line:?} in\n{output}");
    }
}

/// The Lua files below a folder of the repository, by their paths from there without ".lua", and their texts.
fn lua_files(folder: &str) -> Vec<(String, String)> {
    let top = root().join(folder);
    let mut files = Vec::new();
    let mut folders = vec![top.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "lua") {
                let name = path
                    .strip_prefix(&top)
                    .expect("below it")
                    .with_extension("");
                let text = fs::read_to_string(&path).expect("a text file");
                files.push((name.display().to_string(), text));
            }
        }
    }
    files
}

#[test]
fn modules_that_no_other_requires_are_in_the_reference() {
    let listed = fs::read_to_string(root().join("docs/tools/modules.lua")).expect("the list");
    let modules = lua_files("lualib");
    let services = lua_files("service");
    let is_inside = |name: &str| name.contains("/internal/") || name.starts_with("compat10/");
    let forgotten: Vec<&String> = modules
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !is_inside(name) && *name != "loader")
        .filter(|name| {
            let module = name.trim_end_matches("/init").replace('/', ".");
            // Of a folder one may be chosen while the node runs: `require("skynet.db." .. kind)`.
            let folder = module
                .rsplit_once('.')
                .map(|(folder, _)| format!("\"{folder}.\""));
            let wanted = format!("\"{module}\"");
            let is_listed = listed.contains(&wanted) || listed.contains(&format!("\"{name}\""));
            let mut others = modules
                .iter()
                .chain(&services)
                .filter(|(other, _)| other != *name);
            !is_listed
                && !others.any(|(_, text)| {
                    text.contains(&wanted)
                        || folder.as_ref().is_some_and(|folder| text.contains(folder))
                })
        })
        .collect();
    assert!(
        forgotten.is_empty(),
        "users cannot know them: docs/tools/modules.lua lacks {forgotten:?}"
    );
}
