//! A node without descriptors: files of the project that are there and cannot be opened are not replaced by what is inside of the
//! executable. And one without memory: it ends when it shall.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use crate::tools::running::Node;
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

/// Without memory for a thread that conducts the end.
#[cfg(target_os = "linux")]
#[test]
fn a_node_without_memory_ends_by_the_first_signal() {
    let place = scratch("address_space");
    let config = "thread = 2\nharbor = 0\nstart = 'main'\nluaservice = './?.lua'\n";
    for (more, by) in [("", "plain"), ("shutdown_grace = 1\n", "in order")] {
        fs::write(place.join("config"), format!("{config}{more}")).expect("a file");
        fs::write(
            place.join("main.lua"),
            "require('skynet').start(function() print 'stuck' while true do end end)",
        )
        .expect("a file");
        let mut node = Node::spawn(
            Command::new(env!("CARGO_BIN_EXE_skynet"))
                .arg("config")
                .current_dir(&place),
        );
        node.wait("stuck");
        let none = libc::rlimit {
            rlim_cur: 0,
            rlim_max: libc::RLIM_INFINITY,
        };
        // SAFETY: a limit of a process of this test, by a struct that is there for the call.
        let set = unsafe {
            libc::prlimit(
                node.id() as libc::pid_t,
                libc::RLIMIT_AS,
                &none,
                std::ptr::null_mut(),
            )
        };
        assert_eq!(set, 0, "{by}");
        node.signal("TERM");
        // The allocator may crash in a thread for which the C library still had a stack: that ends the node as well.
        let signal = node.ended().signal();
        assert!(
            matches!(signal, Some(libc::SIGTERM | libc::SIGSEGV)),
            "{by}: {signal:?}"
        );
    }
}
