//! A node whose address space is short: what a program sizes raises an error where it is asked for, and all else goes on.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::tools::peer::free_port;
use crate::tools::running::Node;
use crate::tools::scratch;

/// So much has room beside the node, and twice of it has not.
const LARGE: usize = 300 << 20;
const LIMIT: u64 = 700 << 20;

const MAIN: &str = "local skynet = require 'skynet'
require 'skynet.manager'
local socket = require 'skynet.socket'
local core = require 'skynet.core'
skynet.register_protocol { name = 'text', id = skynet.PTYPE_TEXT, pack = function(s) return s end, unpack = skynet.tostring }
skynet.start(function()
	local large = string.rep('x', LARGE)
	skynet.dispatch('lua', function(_, _, what)
		if what == 'large' then return skynet.ret(large) end
		skynet.retpack(what)
	end)
	local self = skynet.self()
	local function outcome(name, f, ...)
		local ok, problem = pcall(f, ...)
		print(name, ok, type(problem) == 'string' and problem:match 'not enough memory' or problem)
	end
	-- Said to the peer as it is, so that what is lost shows.
	local peer
	local listener = socket.listen('127.0.0.1', PORT)
	socket.start(listener, function(id) socket.start(id) peer = id end)
	local id = socket.open('127.0.0.1', PORT)
	while not peer do skynet.sleep(1) end
	outcome('send', skynet.send, self, 'text', large)
	outcome('by name', skynet.send, '.launcher', 'text', large)
	outcome('raw', skynet.rawsend, self, 'lua', large)
	outcome('call', skynet.rawcall, self, 'lua', large)
	-- Who asks does not wait for ever.
	outcome('answer', skynet.call, self, 'lua', 'large')
	outcome('redirect', skynet.redirect, self, 0, 'text', 0, large)
	outcome('table', socket.write, id, { large, 'x' })
	outcome('after table', socket.write, id, 'whole\\n')
	print('read', socket.readline(peer))
	outcome('write', socket.write, id, large)
	outcome('low', socket.lwrite, socket.open('127.0.0.1', PORT), large)
	outcome('host', socket.open, large, 80)
	outcome('command', core.command, 'LOGON', large)
	outcome('name', core.command, 'REG', large)
	outcome('key', core.command, 'SETENV', large)
	print('answer', skynet.call(self, 'lua', 'small'))
	print('memory', collectgarbage 'count' * 1024 < LARGE * 3 // 2)
	print 'all done'
end)";

#[test]
fn a_large_string_without_memory_for_its_copy_raises_and_the_node_goes_on() {
    let folder = scratch("short-memory");
    let port = free_port().to_string();
    let main = MAIN
        .replace("PORT", &port)
        .replace("LARGE", &LARGE.to_string());
    fs::write(folder.join("main.lua"), main).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_skynet"));
    command.args(["run", ".", "--set", "thread=2"]);
    let limit = libc::rlimit {
        rlim_cur: LIMIT,
        rlim_max: LIMIT,
    };
    // SAFETY: one system call, of what was made before.
    unsafe {
        command.pre_exec(move || match libc::setrlimit(libc::RLIMIT_AS, &limit) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        })
    };
    let mut node = Node::spawn(command.current_dir(folder));
    for line in [
        "send\tfalse\tnot enough memory",
        "by name\tfalse\tnot enough memory",
        "raw\tfalse\tnot enough memory",
        "call\tfalse\tnot enough memory",
        "answer\tfalse",
        "redirect\tfalse\tnot enough memory",
        "table\tfalse\tnot enough memory",
        "after table\ttrue\ttrue",
        "read\twhole",
        "write\tfalse\tnot enough memory",
        "low\tfalse\tnot enough memory",
        "host\t",
        "command\tfalse\tnot enough memory",
        "name\tfalse\tnot enough memory",
        "key\tfalse\tnot enough memory",
        "answer\tsmall",
        "memory\ttrue",
        "all done",
    ] {
        node.wait(line);
    }
}
