--- Sockets as the pair of functions, read and write, that the HTTP modules work with.
---
--- What fails here raises an object that equals `socket_error`: `err == sockethelper.socket_error` tells a lost connection
--- from other errors, `tostring(err)` and the field `err_info` say what happened.

local socket = require "skynet.socket"

local read_socket, write_socket = socket.read, socket.write

---@class http.sockethelper
local M = {}

-- What is known of a read function: the id of its socket, or a channel.
local channels = setmetatable({}, { __mode = "k" })

--- Notes which socket a read function reads from, so that time limits and interim answers can be. Does not yield.
---@param read fun(n: integer?): string
---@param id integer
---@param write? fun(bytes: string) nil: as of `writefunc`
---@return fun(n: integer?): string read
function M.register(read, id, write)
	channels[read] = write and { id = id, write = write } or id
	return read
end

--- What has been noted of a read function. Does not yield.
---@param read function of `readfunc`
---@return { id: integer, write: fun(bytes: string)? }? channel
function M.channel(read)
	local channel = channels[read]
	if math.type(channel) then
		channel = { id = channel }
		channels[read] = channel
	end
	return channel
end

local error_type = {}

function error_type.__eq(a, b)
	return getmetatable(a) == error_type and getmetatable(b) == error_type
end

function error_type:__tostring()
	return self.err_info or "[Socket Error]"
end

--- socket_error(text): another one, to be raised, that says what has happened.
function error_type:__call(text)
	return setmetatable({ err_info = "[Socket Error] : " .. tostring(text) }, error_type)
end

M.socket_error = setmetatable({}, error_type)
local socket_error = M.socket_error

--- A function that reads from a socket: read(n) for n bytes, read() for what there is. It yields.
---@param id integer
---@param first string? input that was read before and comes first
---@return fun(n: integer?): string
function M.readfunc(id, first)
	local function read(n)
		local bytes, _, problem = read_socket(id, n)
		if not bytes then
			error(
				socket_error(
					problem and string.format("read failed fd = %s: %s", id, problem) or "read failed fd = " .. id
				)
			)
		end
		return bytes
	end
	if not first then
		return M.register(read, id)
	end
	return M.register(function(n)
		if not first then
			return read(n)
		end
		local bytes = first
		if n == nil or n == #bytes then
			first = nil
		elseif n < #bytes then
			first = string.sub(bytes, n + 1)
			bytes = string.sub(bytes, 1, n)
		else
			first = nil
			bytes = bytes .. read(n - #bytes)
		end
		return bytes
	end, id)
end

--- Whether a connection from which nothing more comes has ended well, and not broken. Does not yield.
---@param id integer
---@return boolean
function M.ended(id)
	if not socket.disconnected(id) then
		return true
	end
	local _, _, problem = read_socket(id)
	return not problem
end

--- A function that reads until the peer closes. It yields, and raises when the connection breaks or is shut down.
---@param id integer
---@return fun(): string
function M.readallfunc(id)
	return function()
		local parts = {}
		while true do
			local bytes, _, problem = read_socket(id)
			if bytes then
				parts[#parts + 1] = bytes
			elseif problem then
				error(socket_error(string.format("read failed fd = %s: %s", id, problem)))
			else
				return table.concat(parts)
			end
		end
	end
end

--- A function that writes a string to a socket. It does not yield.
---@param id integer
---@return fun(bytes: string)
function M.writefunc(id)
	return function(bytes)
		if not write_socket(id, bytes) then
			error(socket_error("write failed fd = " .. id))
		end
	end
end

--- readall(id) -> string: the input until the peer closes. Yields.
---@type fun(id: integer): string
M.readall = socket.readall

--- Connects. Yields.
---@param host string
---@param port integer
---@param timeout integer? 1/100 s
---@return integer id. Raises `socket_error`
function M.connect(host, port, timeout)
	local id, problem = socket.open(host, port, timeout)
	if id then
		return id
	end
	error(
		socket_error(
			string.format("connect failed host = %s port = %s timeout = %s err = %s", host, port, timeout, problem)
		)
	)
end

--- close(id): after the output is sent. Yields.
---@type fun(id: integer)
M.close = socket.close
--- shutdown(id): at once; `close` has to follow.
---@type fun(id: integer)
M.shutdown = socket.shutdown

return M
