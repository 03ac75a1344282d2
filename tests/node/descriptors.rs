//! A node without descriptors: files of the project that are there and cannot be opened are not replaced by what is inside of the
//! executable.

use std::fs;
use std::process::Command;

use crate::tools::scratch;

const MAIN: &str = r#"
local skynet = require "skynet"
skynet.start(function()
	local files = {}
	repeat
		local file = io.open "/dev/null"
		files[#files + 1] = file
	until not file
	local function try(what, func, ...)
		local ok, result = pcall(func, ...)
		print(what, ok, (string.gsub(tostring(result), "\n", " ")))
	end
	try("module", require, "skynet.queue")
	try("inside", require, "skynet.multicast")
	try("service", skynet.newservice, "service_cell")
	for _, file in ipairs(files) do
		file:close()
	end
	try("later", require, "skynet.queue")
	require "skynet.manager".abort()
end)
"#;

#[test]
fn what_is_there_and_cannot_be_opened_is_not_replaced_in_silence() {
    let place = scratch("descriptors");
    for (name, text) in [
        ("service/main.lua", MAIN),
        ("service/service_cell.lua", "print 'never'"),
        ("lualib/skynet/queue.lua", "return 'the own one'"),
        (
            "config",
            "thread = 2\nharbor = 0\nstart = 'main'\nluaservice = './service/?.lua'\nlua_path = './lualib/?.lua'\n",
        ),
    ] {
        let path = place.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 64; exec \"$0\" config"])
        .arg(env!("CARGO_BIN_EXE_skynet"))
        .current_dir(&place)
        .output()
        .expect("the executable starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let line = |what: &str| {
        let found = text.lines().find(|line| line.starts_with(what));
        found.unwrap_or_else(|| panic!("no {what:?} in\n{text}"))
    };
    let module = line("module\t");
    assert!(
        module.contains("false")
            && module.contains("./lualib/skynet/queue.lua")
            && module.contains("Too many open files"),
        "{module}"
    );
    assert!(line("inside\t").starts_with("inside\ttrue"), "{text}");
    assert!(line("service\t").starts_with("service\tfalse"), "{text}");
    let reason = "cannot open ./service/service_cell.lua: Too many open files";
    assert!(text.contains(reason), "no {reason:?} in\n{text}");
    assert!(line("later\t").contains("the own one"), "{text}");
}
