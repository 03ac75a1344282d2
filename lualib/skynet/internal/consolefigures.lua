--- Commands of the debug console that show what the process has: memory and sockets. See console.lua.

local skynet = require "skynet"
local memory = require "skynet.memory"
local socket = require "skynet.socket"

local commands = {}

--- Whether a word of a command switches something on.
local function is_on(word)
	return word == "on" or word == "true"
end

---@return any
function commands.cmem()
	local list = {}
	for handle, bytes in pairs(memory.info()) do
		list[skynet.address(handle)] = bytes
	end
	list.total, list.block = memory.total(), memory.block()
	return list
end

local KINDS <const> = { "allocated", "active", "resident", "retained" }

-- What the allocator has; nothing when it is not jemalloc.
local function process_memory()
	local figures = memory.total() > 0 and memory.jestat() or {}
	local list = {}
	for _, kind in ipairs(KINDS) do
		list[kind] = figures["stats." .. kind]
	end
	return list
end

--- Before and after, and what the system got back.
---@return any
function commands.purge()
	local before = process_memory()
	if not (memory.purge and memory.purge()) then
		return "The allocator is not jemalloc"
	end
	local after, list = process_memory(), {}
	for kind, bytes in pairs(after) do
		list[kind] = string.format("%d -> %d", before[kind], bytes)
	end
	list.returned = math.max(before.resident - after.resident, 0)
	return list
end

---@return any
function commands.jmem()
	local list = {}
	for name, bytes in pairs(memory.jestat()) do
		list[name] = string.format("%11d  %8.2f Mb", bytes, bytes / (1024 * 1024))
	end
	return list
end

function commands.dumpheap()
	memory.dumpheap()
end

---@param word string?
---@return any
function commands.profactive(word)
	if word ~= nil then
		memory.profactive(is_on(word))
	end
	return "heap profilling is " .. (memory.profactive() and "active" or "deactive")
end

---------------------------------------------------------------- sockets

local function show_bytes(count)
	if count == nil or count == 0 then
		return nil
	elseif count < 1024 then
		return count
	elseif count < 1024 * 1024 then
		return count / 1024 .. "K"
	end
	return count / (1024 * 1024) .. "M"
end

local function show_age(time)
	if time == nil then
		return nil
	end
	local age = skynet.now() - time
	if age < 60 * 100 then
		return age / 100 .. "s"
	end
	local hours, minutes, seconds = age // 360000, age // 6000 % 60, age % 6000 / 100
	return string.format("%s%d:%.2gs", hours > 0 and hours .. ":" or "", minutes, seconds)
end

---@return any
function commands.netstat()
	local list = socket.netstat()
	for _, info in ipairs(list) do
		info.address = skynet.address(info.address)
		for _, key in ipairs { "read", "write", "wbuffer" } do
			info[key] = show_bytes(info[key])
		end
		info.rtime, info.wtime = show_age(info.rtime), show_age(info.wtime)
	end
	return list
end

return { commands = commands, is_on = is_on }
