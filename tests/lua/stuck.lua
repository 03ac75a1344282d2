-- Services that do not come back: what the log and the console tell of them. As "stuck log" this is the log service,
-- which lets a service go when the log has said what it is to say.
local skynet = require "skynet"
local core = require "skynet.core"

local role, owner = ...

if role == "log" then
	local lines, waiting = {}, {}
	local function answer()
		for i = #waiting, 1, -1 do
			local want = waiting[i]
			for _, line in ipairs(lines) do
				if string.find(line, want.text, 1, true) and string.find(line, want.address, 1, true) then
					table.remove(waiting, i)
					want.respond(true, line)
					break
				end
			end
		end
	end
	skynet.register_protocol {
		name = "text",
		id = skynet.PTYPE_TEXT,
		unpack = skynet.tostring,
		dispatch = function(_, from, text)
			lines[#lines + 1] = skynet.address(from) .. " " .. text
			answer()
		end,
	}
	skynet.dispatch("lua", function(_, _, text, address)
		waiting[#waiting + 1] = { text = text, address = address, respond = skynet.response() }
		answer()
	end)
	skynet.start(function() end)
	return
elseif role then
	local roles = {}
	local function deep()
		while true do
		end
	end
	function roles.loops()
		deep()
	end
	function roles.wraps()
		coroutine.wrap(deep)()
	end
	function roles.hooked()
		debug.sethook(coroutine.running(), function() end, "", 1000000)
		deep()
	end
	function roles.blocks()
		io.open("pipe"):close()
	end
	skynet.start(function()
		skynet.dispatch("lua", function()
			skynet.send(tonumber(owner), "lua", "begun")
			roles[role]()
		end)
	end)
	return
end

local check = require "check"
local cases = {}
local begun = {}

local function log(text, address)
	return skynet.call(".logger", "lua", text, skynet.address(address))
end

local function start(name)
	local me = coroutine.running()
	local service = skynet.newservice("stuck", name, skynet.self())
	begun[service] = me
	skynet.send(service, "lua", "go")
	skynet.wait(me)
	return service
end

local function release(service)
	core.command("SIGNAL", skynet.address(service) .. " 0")
end

-- All of them at once: the monitor takes its time.
function cases.services_that_do_not_return_are_shown()
	skynet.dispatch("lua", function(_, service)
		skynet.wakeup(begun[service])
	end)
	assert(os.execute "mkfifo pipe")
	local loops, wraps, hooked, blocks = start "loops", start "wraps", start "hooked", start "blocks"

	local running = core.command "RUNNING"
	for name, service in pairs { loops = loops, wraps = wraps, hooked = hooked, blocks = blocks } do
		local line = string.match(running, string.format("worker %%d: :%08x [^\n]*", service))
		assert(line, running)
		assert(string.find(line, "(snlua stuck " .. name .. " ", 1, true), line)
		assert(
			string.find(line, " runs for %d+%.%d+ s, a message from :%x+, type 10 %(lua%), session 0, %d+ bytes$"),
			line
		)
	end

	local first = log("maybe in an endless loop", loops)
	check.equal(string.find(first, "error: A message from [ :", 1, true), 11)
	assert(string.find(log("stuck: ", loops), "CPU time in the last", 1, true))
	for _, service in ipairs { loops, wraps } do
		local stack = log("stuck: what runs is\n", service)
		assert(string.find(stack, "stuck.lua:%d+: in "), stack)
		release(service)
	end
	log("a debug hook of its own is set", hooked)
	release(hooked)
	log("it is in a C function", blocks)
	io.open("pipe", "w"):close()
	for _, service in ipairs { loops, wraps, hooked, blocks } do
		skynet.call(service, "debug", "PING")
	end
end

check.run(cases)
