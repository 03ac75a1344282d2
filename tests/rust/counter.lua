-- A service in Rust that Lua calls by the names of its commands.
local skynet = require "skynet"
local check = require "check"
require "skynet.manager"

skynet.register_protocol {
	name = "text",
	id = skynet.PTYPE_TEXT,
	pack = function(text)
		return text
	end,
	unpack = skynet.tostring,
}

local cases = {}

function cases.commands_answer_at_once_or_later()
	local counter = skynet.launch("rs_counter", 100)
	check.equal(skynet.call(counter, "lua", "add", 5), 105)
	check.equal(skynet.call(counter, "lua", "later", 7), 112)
	skynet.send(counter, "lua", "add", 1)
	check.equal(skynet.call(counter, "lua", "add", 0), 113)
	skynet.kill(counter)
end

function cases.a_command_asks_who_has_called()
	local counter = skynet.launch("rs_counter", 1)
	skynet.dispatch("lua", function(_, _, command, question)
		skynet.ret(skynet.pack(command .. " " .. question))
	end)
	local answer, value = skynet.call(counter, "lua", "ask", skynet.self(), "why")
	check.equal({ answer, value }, { "question why", 1 })
	skynet.kill(counter)
end

function cases.whatever_goes_wrong_is_an_error_for_who_waits()
	local counter = skynet.launch("rs_counter")
	for _, request in ipairs { { "fail", "reason" }, { "panic" }, { "nothing" }, { "add", "x" }, { "add" }, {}, { 5 } } do
		check.equal((pcall(skynet.call, counter, "lua", table.unpack(request))), false)
	end
	check.equal(skynet.call(counter, "lua", "add", 5), 5)
	skynet.kill(counter)
end

function cases.a_failing_init_is_a_failing_launch()
	check.equal(skynet.launch("rs_counter", "no number"), nil)
end

function cases.other_messages_are_bytes()
	local counter = skynet.launch("rs_counter")
	local text = ("x"):rep(100000)
	check.equal(skynet.call(counter, "text", text), text)
	check.equal(skynet.call(counter, "text", ""), "")
	skynet.kill(counter)
end

check.run(cases)
