--- What reports say about calls and requests that failed: which command, of whom. Loaded with the first failure; the values
--- are still on the stack of who failed.

local core = require "skynet.core"
local ratelimit = require "skynet.internal.ratelimit"
local runtime = require "skynet.internal.kernel"

local M = {}

local LONGEST <const> = 40 -- characters of a command

-- A value of a message as people read it.
local function show(value)
	if type(value) == "string" then
		if #value <= LONGEST and not string.find(value, '[%c"\\]') then
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
	return string.format(
		"\n(in %s, handling %s from %s, handler at %s:%d)",
		SERVICE_NAME or "this service",
		what,
		runtime.api.address(runtime.origin[task]),
		handler.short_src,
		handler.linedefined
	)
end

local unpacking = ratelimit(5, 1000)

--- What a report says about a task whose main function has called what failed: `place`, or nil if it is one of too many
--- requests that cannot be unpacked. Those may come from another node, as many as it likes; the next report counts them.
---@param task thread
---@param place string
---@return string?
function M.unreadable(task, place)
	if debug.getinfo(task, 0, "f").func ~= core.unpack then
		return place
	end
	local more = unpacking()
	if not more then
		core.command "UNLOGGED"
	end
	return more and place .. more
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

-- Services that start others: what, stands behind the command.
local STARTERS <const> = { [".launcher"] = true, [".service"] = true }

-- The arguments behind that one, as long as they are texts.
local function texts_after(level, at)
	local list = ""
	for index = at - 1, at - 3, -1 do
		local _, value = debug.getlocal(level, index)
		if type(value) ~= "string" then
			break
		end
		list = list .. show(value) .. " "
	end
	return list
end

local here -- where calls fail that C has made

-- What was asked, by the frame of who has called `await` (level 4, or above pcall).
local function what_was_asked(address)
	for level = 4, 7 do
		local info = debug.getinfo(level, "f")
		local protocol_at, command_at = layout(info and info.func)
		if protocol_at then
			local gateway = runtime.gateways and runtime.gateways[address]
			local command
			if command_at then -- of gateways, "req" and the address over there
				local _, value = debug.getlocal(level, gateway and command_at - 1 or command_at)
				command = value
			end
			if gateway then
				return string.format("to %s of %s", command and runtime.api.address(command) or "?", gateway), level
			end
			local _, typename = debug.getlocal(level, protocol_at)
			command = command ~= nil and show(command) .. " " or ""
			if STARTERS[address] then
				command = command .. texts_after(level + 1, command_at)
			end
			return protocol_name(typename) .. " " .. command .. "to " .. runtime.api.address(address), level
		end
	end
	return "to " .. runtime.api.address(address), 3
end

--- The error of a call that has failed, for `await`: the C core's text behind the caller's line, and a line that says what
--- was asked of whom.
---@param address integer|string
---@return string
function M.failed_call(address)
	local what, level = what_was_asked(address)
	-- Without the frame of `what_was_asked` this is the caller.
	local line = debug.getinfo(level, "l")
	if line and line.currentline > 0 then
		return debug.getinfo(level, "S").short_src .. ":" .. line.currentline .. ": call failed\n\t(" .. what .. ")"
	elseif not here then -- called by C, as by pcall
		local info = debug.getinfo(2, "Sl")
		here = info.short_src .. ":" .. info.currentline
	end
	return here .. ": call failed\n\t(" .. what .. ")"
end

return M
