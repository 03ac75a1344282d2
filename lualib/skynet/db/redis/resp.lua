--- The protocol of Redis (RESP2) as bytes.

local M = {}

local tostring, type = tostring, type
local MAX_LENGTHS <const> = 4096

local commands = {} -- name -> its bytes
local lengths = {}  -- length of an argument -> its bytes; of the short ones

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

local read_reply

local readers = {
	["+"] = function(_, text)
		return true, text
	end,
	["-"] = function(_, text)
		return false, text
	end,
	[":"] = function(_, text)
		return true, math.tointeger(text) or tonumber(text)
	end,
	["$"] = function(sock, text)
		local size = tonumber(text)
		if size < 0 then
			return true, nil
		end
		return true, string.sub(sock:read(size + 2), 1, -3)
	end,
	["*"] = function(sock, text)
		local count = tonumber(text)
		if count < 0 then
			return true, nil
		end
		local list, all_ok = {}, true
		for i = 1, count do
			local ok
			ok, list[i] = read_reply(sock)
			all_ok = all_ok and ok
		end
		return all_ok, list
	end,
}

--- Reads a reply; for `request` of a socket channel. Yields.
---@param sock table
---@return boolean ok, any value of it or the text of the error; a list is not ok when one of its items is not
function read_reply(sock)
	local line = sock:readline "\r\n"
	local reader = readers[string.sub(line, 1, 1)]
	if not reader then
		error(string.format("invalid reply of redis: %q", line), 0)
	end
	return reader(sock, string.sub(line, 2))
end

M.read_reply = read_reply

return M
