--- The body of a HTTP response, piece by piece, as it arrives:
---
---     for piece, stream in httpc.request_stream("GET", host, "/large") do ... end
---
--- Fields: status, header (with the trailer at the end), connected: true while more may come, nil at
--- the end, false when the body broke off.

local sockethelper = require "http.sockethelper"
local bodies = require "http.body"
local sources = require "http.source"

local M = {}
-- The most bytes and lines of a trailer.
local TRAILER <const> = { header = 16 * 1024, fields = 256 }

---@class http.stream.Stream
local Stream = {}
Stream.__index = Stream

--- Reads the next piece. Yields.
---@return string? piece nil at the end; may be empty
---@return http.stream.Stream self. Raises when the connection breaks in the middle, or the body is malformed
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

--- Ends the connection while another task reads: that task gets an error, and closes. Does not yield.
function Stream:shutdown()
	sockethelper.shutdown(self._interface.id)
end

Stream.__call = Stream.padding
Stream.__close = Stream.close

local function finish(self, connected)
	self.connected = connected
	self._next = Stream.close
end

local function next_of_length(self)
	local source = self._source
	local piece = source:pending() and source:rest() or (self._left > 0 and source.read() or "")
	if #piece >= self._left then
		piece, self._rest = string.sub(piece, 1, self._left), string.sub(piece, self._left + 1)
		finish(self)
	end
	self._left = self._left - #piece
	return piece
end

local function next_chunk(self)
	local source = self._source
	local piece = bodies.read_chunk(source)
	if not piece or (piece == "" and not bodies.read_trailer(source, self.header, TRAILER)) then
		error "Invalid response body"
	elseif piece == "" then
		self._rest = source:rest()
		finish(self)
	end
	return piece
end

local function next_until_closed(self)
	local source = self._source
	if source:pending() then
		return source:rest()
	end
	local ok, piece = pcall(source.read)
	if ok and piece ~= "" then
		return piece
	end
	local ended = self._interface.ended
	if not ok and ended and not ended() then
		error(piece, 0)
	end
	finish(self)
end

local function next_of_none(self)
	self._rest = self._source:rest()
	finish(self)
	return ""
end

--- A stream for the response whose header has been read. Does not yield.
---@param interface table
---@param code integer
---@param rest string what has been read behind the header
---@param header table
---@param framing "chunked"|integer|nil
---@param empty boolean there is no body
function M.new(interface, code, rest, header, framing, empty)
	local next_piece
	if empty then
		next_piece = next_of_none
	elseif framing == "chunked" then
		next_piece = next_chunk
	else
		next_piece = framing and next_of_length or next_until_closed
	end
	return setmetatable({
		status = code,
		header = header,
		connected = true,
		_interface = interface,
		_source = sources.new(interface.read, rest),
		_left = framing,
		_rest = nil, -- what was read behind the body
		_next = next_piece,
	}, Stream)
end

return M
