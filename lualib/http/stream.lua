--- The body of a HTTP response, piece by piece, as it arrives:
---
---     for piece, stream in httpc.request_stream("GET", host, "/large") do ... end
---
--- Fields: status, header (with the trailer at the end), connected: true while more may come, nil at
--- the end, false when the body broke off.

local internal = require "http.internal"

local M = {}
local Stream = {}
Stream.__index = Stream

--- Reads the next piece. Yields.
---@return string? piece nil at the end; may be empty, table self. Raises when the connection breaks in
--- the middle, or the body is malformed
function Stream:padding()
	local ok, piece = pcall(self._next, self)
	if not ok then
		self.connected = false
	end
	if not ok or piece == nil then
		self:close()
	end
	if not ok then
		error(piece, 0)
	end
	return piece, self
end

--- Closes the connection. Yields.
function Stream:close()
	local callback = self._onclose
	self._onclose = nil
	self._next = function() end
	if callback then
		callback(self)
	end
end

Stream.__call = Stream.padding
Stream.__close = Stream.close

local function finish(self, connected)
	self.connected = connected
	self._next = Stream.close
end

local function next_of_length(self)
	local piece = self._rest
	self._rest = nil
	if not piece or (piece == "" and self._left > 0) then
		piece = self._interface.read()
	end
	if #piece >= self._left then
		piece = string.sub(piece, 1, self._left)
		finish(self)
	end
	self._left = self._left - #piece
	return piece
end

local function next_chunk(self)
	local read = self._interface.read
	local piece, rest = internal.read_chunk(read, self._rest)
	self._rest = rest
	if piece == nil or (piece == "" and not internal.read_trailer(read, rest, self.header)) then
		error "Invalid response body"
	elseif piece == "" then
		finish(self)
	end
	return piece
end

local function next_until_closed(self)
	local piece = self._rest
	self._rest = nil
	if piece and piece ~= "" then
		return piece
	end
	local ok
	ok, piece = pcall(self._interface.read)
	if ok and piece ~= "" then
		return piece
	end
	finish(self)
end

local function next_of_none(self)
	finish(self)
	return ""
end

--- A stream for the response whose header has been read. Raises when its framing is not valid.
---@param interface table
---@param code integer
---@param rest string what has been read behind the header
---@param header table
---@param empty boolean the code says that there is no body
function M.new(interface, code, rest, header, empty)
	local framing = internal.framing(header)
	local next_piece
	if framing == "chunked" then
		next_piece = next_chunk
	elseif framing then
		next_piece = next_of_length
	else
		next_piece = empty and next_of_none or next_until_closed
	end
	return setmetatable({
		status = code,
		header = header,
		connected = true,
		_interface = interface,
		_rest = rest,
		_left = framing,
		_next = next_piece,
	}, Stream)
end

return M
