-- skynet.debugchannel
local check = require "check"
local channel = require "skynet.debugchannel"

local cases = {}

function cases.lines_come_out_as_they_went_in()
	local console, address = channel.create()
	local debugger = channel.connect(address)
	check.equal(debugger:read(), nil)
	console:write "first"
	console:write "with\0zero\n"
	console:write ""
	check.equal(debugger:read(), "first")
	check.equal(debugger:read(0), "with\0zero\n")
	check.equal(debugger:read(), "")
	check.equal(debugger:read(0.01), nil)
	debugger:write "back"
	check.equal(console:read(), "back")
end

function cases.a_channel_has_two_ends()
	local _, address = channel.create()
	local second = channel.connect(address)
	check.raises("new channel failed", channel.connect, address)
	assert(second)
end

function cases.wrong_arguments_are_errors()
	local console = channel.create()
	check.raises("string expected", console.write, console, {})
	check.raises("debugchannel", console.read, io.stdout)
	check.raises("debugchannel", console.read)
end

function cases.a_hook_sees_lines_and_can_suspend_its_task()
	local lines = {}
	local task = coroutine.create(function()
		local a = 1
		local b = 2
		return a + b
	end)
	channel.sethook(task, function(event, line)
		lines[#lines + 1] = { event, math.type(line) }
		return #lines == 2
	end, "l")
	check.equal({ coroutine.resume(task) }, { true })
	check.equal(coroutine.status(task), "suspended")
	check.equal({ coroutine.resume(task) }, { true, 3 })
	check.equal(lines[1], { "line", "integer" })
	assert(#lines >= 3)
end

function cases.a_hook_sees_calls_and_returns_of_its_own_thread()
	local events = {}
	local function callee() end
	channel.sethook(function(event)
		events[#events + 1] = event
	end, "cr")
	callee()
	channel.sethook()
	callee()
	-- Return of sethook, call and return of callee, call of sethook.
	check.equal(events, { "return", "call", "return", "call" })
end

function cases.a_hook_counts()
	local count = 0
	channel.sethook(function(event)
		check.equal(event, "count")
		count = count + 1
	end, "", 10)
	for _ = 1, 100 do
	end
	channel.sethook()
	assert(count >= 10, count)
end

function cases.a_hook_needs_a_function_and_a_mask()
	check.raises("string expected", channel.sethook, print)
	check.raises("function expected", channel.sethook, 1, "l")
end

check.run(cases)
