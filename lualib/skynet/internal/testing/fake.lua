-- Fakes of services. A fake is a service of its own (service/test_fake.lua), which hands every request to the service of
-- the tests; there a function answers.

local skynet = require "skynet"
local run = require "skynet.internal.testing.run"

local PROTOCOL <const> = "test_fake"
local PROTOCOL_ID <const> = 251

---@class skynet.test.fake
---@field address integer handle of the fake
---@field calls table[] what came in, in order: `{ name = command, source = handle, wants_answer = boolean, ... }` with the arguments
local Fake = {}
Fake.__index = Fake

local fakes = {} -- handle -> fake

local makers = { PROTOCOL = PROTOCOL, PROTOCOL_ID = PROTOCOL_ID }

local function answer_of(fake, name, ...)
	local answer = fake.answers[name]
	if answer == nil then
		error(string.format("the fake %s has no answer for %s", fake.name, tostring(name)), 0)
	elseif type(answer) == "function" then
		return answer(...)
	end
	return answer
end

local started = false

local function start_dispatch()
	if started then
		return
	end
	started = true
	skynet.register_protocol {
		name = PROTOCOL,
		id = PROTOCOL_ID,
		pack = skynet.pack,
		unpack = skynet.unpack,
		dispatch = function(session, handle, wants_answer, source, name, ...)
			local fake = fakes[handle]
			if not fake then
				error("the fake is gone", 0)
			end
			local call = table.pack(...)
			call.name, call.source, call.wants_answer = name, source, wants_answer
			table.insert(fake.calls, call)
			if session == 0 then
				answer_of(fake, name, ...)
			else
				skynet.ret(skynet.pack(answer_of(fake, name, ...)))
			end
		end,
	}
end

--- See skynet.test, `fake`.
function makers.new(name, answers)
	start_dispatch()
	local handle = skynet.newservice("test_fake", skynet.self())
	local fake = setmetatable({
		name = name or skynet.address(handle),
		address = handle,
		answers = answers or {},
		calls = {},
	}, Fake)
	fakes[handle] = fake
	local unique = name and string.sub(name, 1, 1) ~= "."
	if unique then
		skynet.call(".service", "lua", "SUBSTITUTE", name, handle)
	elseif name then
		require "skynet.manager".name(name, handle)
	end
	run.finally(function()
		if unique then
			skynet.call(".service", "lua", "SUBSTITUTE", name)
		end
		fakes[handle] = nil
		skynet.kill(handle)
	end)
	return fake
end

--- Sets or replaces the answer for a command.
---@param name string
---@param answer any a function that gets the arguments and returns the answer, or the answer itself
function Fake:answer(name, answer)
	self.answers[name] = answer
end

--- Calls a service as the fake: for services that look at who asks. Yields.
---@param address integer|string
---@param ... any
---@return any ... the answer
function Fake:ask(address, ...)
	return skynet.call(self.address, PROTOCOL, address, ...)
end

--- How often a command has come.
---@param name string
---@return integer
function Fake:count(name)
	local count = 0
	for _, call in ipairs(self.calls) do
		if call.name == name then
			count = count + 1
		end
	end
	return count
end

return makers
