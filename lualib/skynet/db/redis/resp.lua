--- The protocol of Redis (RESP2) as bytes.

local M = {}

local tostring, type = tostring, type
local MAX_LENGTHS <const> = 4096

local commands = {} -- name -> its bytes
local lengths = {} -- length of an argument -> its bytes; of the short ones

local function command_bytes(name)
	local bytes = commands[name]
	if not bytes then
		bytes = string.format("\r\n$%d\r\n%s", #name, string.upper(name))
		commands[name] = bytes
	end
	return bytes
end

local function length_bytes(length)
	local bytes = lengths[length]
	if not bytes then
		bytes = "\r\n$" .. length .. "\r\n"
		if length <= MAX_LENGTHS then
			lengths[length] = bytes
		end
	end
	return bytes
end

--- Appends a command to a list of strings. Raises when an argument is nil. Does not yield.
---@param parts string[]
---@param name string
---@param arguments table list of values; `n` as of table.pack
---@param from integer index of the first one
function M.append(parts, name, arguments, from)
	local last = arguments.n or #arguments
	local count = #parts
	parts[count + 1] = "*" .. last - from + 2
	parts[count + 2] = command_bytes(name)
	count = count + 2
	for i = from, last do
		local value = arguments[i]
		if value == nil then
			error(string.format("redis %s: argument %d is nil", name, i - from + 1), 0)
		end
		if type(value) ~= "string" then
			value = tostring(value)
		end
		parts[count + 1] = length_bytes(#value)
		parts[count + 2] = value
		count = count + 2
	end
	parts[count + 1] = "\r\n"
end

--- A command as a list of strings, to be written together. Does not yield.
---@param name string
---@param arguments table list of values; `n` as of table.pack
---@return string[]
function M.command(name, arguments)
	local parts = {}
	M.append(parts, name, arguments, 1)
	return parts
end

---------------------------------------------------------------- replies

-- A server may lie: nothing that it announces is believed beyond these.
local MAX_LINE <const> = 64 * 1024 -- bytes of a status, an error or a number
local MAX_DEPTH <const> = 128 -- lists in lists
local MAX_REPLY <const> = 512 * 1024 * 1024
local ITEM <const>, LIST <const> = 16, 56 -- bytes that a value of a list, and the list itself, takes besides its own

local function invalid(problem, ...)
	error("invalid reply of redis: " .. string.format(problem, ...), 0)
end

local function length_of(line)
	local size = string.find(line, "^.%-?%d+$") and math.tointeger(tonumber(string.sub(line, 2)))
	if not size or size < -1 then
		invalid("%q is no length", string.sub(line, 1, 64))
	end
	return size
end

-- Each gets the socket, the line, how many bytes of the reply may follow, its most, and the depth; and returns ok, value, and
-- how many bytes may follow then.
local readers
readers = {
	["+"] = function(_, line, left)
		return true, string.sub(line, 2), left
	end,
	["-"] = function(_, line, left)
		return false, string.sub(line, 2), left
	end,
	[":"] = function(_, line, left)
		local text = string.sub(line, 2)
		return true, math.tointeger(text) or tonumber(text) or invalid("%q is no number", string.sub(line, 1, 64)), left
	end,
	["$"] = function(sock, line, left, most)
		local size = length_of(line)
		if size < 0 then
			return true, nil, left
		elseif size > left then
			invalid("more than %d bytes (option max_reply)", most)
		end
		local bytes = sock:read(size + 2)
		if string.find(bytes, "\r\n", size + 1, true) ~= size + 1 then
			invalid "a string is longer than its length"
		end
		return true, string.sub(bytes, 1, -3), left - size
	end,
	["*"] = function(sock, line, left, most, depth)
		local count = length_of(line)
		if count < 0 then
			return true, nil, left
		elseif depth == MAX_DEPTH then
			invalid("more than %d lists in each other", MAX_DEPTH)
		elseif LIST + count * ITEM > left then
			invalid("a list of %d values cannot be within %d bytes (option max_reply)", count, most)
		end
		local list, all_ok = {}, true
		left = left - LIST - count * ITEM
		for i = 1, count do
			local item = sock:readline("\r\n", MAX_LINE)
			local reader = readers[string.sub(item, 1, 1)]
			if not reader then
				invalid("%q", string.sub(item, 1, 64))
			end
			local ok
			ok, list[i], left = reader(sock, item, left - #item, most, depth + 1)
			if left < 0 then
				invalid("more than %d bytes (option max_reply)", most)
			end
			all_ok = all_ok and ok
		end
		return all_ok, list, left
	end,
}

--- A function that reads a reply; for `request` of a socket channel. It yields, and returns ok and the value, or the text of
--- the error; a list is not ok when one of its items is not.
---@param most integer? bytes of a reply, each list with 56 and each value of one with 16 more; 512 MiB by default
---@return fun(sock: table): boolean, any
function M.reader(most)
	most = most or MAX_REPLY
	return function(sock)
		local line = sock:readline("\r\n", MAX_LINE)
		local reader = readers[string.sub(line, 1, 1)]
		if not reader then
			invalid("%q", string.sub(line, 1, 64))
		end
		local ok, value = reader(sock, line, most, most, 0)
		return ok, value
	end
end

--- One of 512 MiB. Yields.
M.read_reply = M.reader()

return M
