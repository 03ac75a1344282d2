--- What reports say about calls and requests that failed: which command, of whom. Loaded with the first failure; the values
--- are still on the stack of who failed.

local core = require "skynet.core"
local runtime = require "skynet.internal.kernel"

local M = {}

local LONGEST <const> = 40 -- characters of a command

-- A value of a message as people read it.
local function show(value)
	if type(value) == "string" then
		if #value <= LONGEST and not string.find(value, "[%c\"\\]") then
			return '"' .. value .. '"'
		end
		local text = #value > LONGEST and string.sub(value, 1, LONGEST) .. "..." or value
		return string.format("%q", (string.gsub(text, "%c", "?")))
	elseif type(value) == "number" or type(value) == "boolean" then
		return tostring(value)
	end
	return value ~= nil and "a " .. type(value) or nil
end

-- The index that debug.getlocal has for an argument, counted from 1 with those in `...`.
local function index_of(info, argument)
	return argument <= info.nparams and argument or info.nparams - argument
end

local function protocol_name(typename)
	local protocol = runtime.protocols[typename]
	return protocol and protocol.name or tostring(typename)
end

-- The last level of a coroutine's stack. There may be very many, and the higher a level the longer it takes to get there.
local function last_level(task)
	local below, above = 0, 1
	while debug.getinfo(task, above, "l") do
		below, above = above, above * 2
	end
	while above - below > 1 do
		local middle = (below + above) // 2
		if debug.getinfo(task, middle, "l") then
			below = middle
		else
			above = middle
		end
	end
	return below
end

-- The values of the Lua protocols begin with a command; others may hold anything.
local function has_command(protocol)
	return protocol.unpack == core.unpack
end

--- Where a task that has failed handled a request, as a line of its report; "" when it handled none.
---@param task thread
---@return string
function M.handler(task)
	if not debug.getinfo(task, 0, "l") then
		return "" -- closed
	end
	local bottom = last_level(task)
	local _, protocol = debug.getlocal(task, bottom, 1) -- of task_main
	if type(protocol) ~= "table" or type(protocol.dispatch) ~= "function" then
		return ""
	end
	local what = tostring(protocol.name)
	local info = bottom > 0 and debug.getinfo(task, bottom - 1, "fu")
	-- A handler that ended in a tail call has left no frame.
	if info and info.func == protocol.dispatch and has_command(protocol) then
		local _, command = debug.getlocal(task, bottom - 1, index_of(info, 3))
		what = what .. " " .. (show(command) or "")
	end
	local handler = debug.getinfo(protocol.dispatch, "S")
	return string.format("\n(in %s, handling %s from %s, handler at %s:%d)", SERVICE_NAME or "this service", what,
		runtime.api.address(runtime.origin[task]), handler.short_src, handler.linedefined)
end

-- Where the parameters of the functions that call are: that of the protocol, and the command.
local function layout(func)
	local api = runtime.api
	if func == api.call then
		return 2, -1
	elseif func == api.rawcall then
		return 2
	end
	local limited = package.loaded["skynet.internal.deadline"]
	if limited and func == limited.call_timeout then
		return 3, -1
	end
end

--- The error of a call that has failed.
---@param address integer|string
---@return string
function M.failed_call(address)
	for level = 3, 6 do -- after `await`
		local info = debug.getinfo(level, "f")
		local protocol_at, command_at = layout(info and info.func)
		if protocol_at then
			local _, typename = debug.getlocal(level, protocol_at)
			local command
			if command_at then
				_, command = debug.getlocal(level, command_at)
			end
			local gateway = runtime.gateways[address]
			if gateway and command_at then -- "req", and the address over there
				_, command = debug.getlocal(level, command_at - 1)
				return string.format("call failed: to %s of %s", runtime.api.address(command), gateway)
			end
			command = command ~= nil and show(command) .. " " or ""
			return "call failed: " .. protocol_name(typename) .. " " .. command .. "to " .. runtime.api.address(address)
		end
	end
	return "call failed: to " .. runtime.api.address(address)
end

return M
