--- The body of a request that its handler reads itself, piece by piece: `http.server` with the option `stream`.

local skynet = require "skynet"
local aborts = require "http.abort"
local bodies = require "http.body"
local fields = require "http.fields"
local requests = require "http.request"

local M = {}
local Reader = {}
Reader.__index = Reader

-- The most bytes of a piece.
local PIECE <const> = 64 * 1024
-- After so many pieces others get their turn: chunks may be tiny.
local TURN <const> = 512
-- What a handler has left is read after its answer, so that the connection goes on; when it is more, the connection ends.
local DRAIN <const> = 256 * 1024

--- Makes a reader, for a request whose header has been read. Does not yield.
---@param request table
---@param source table
---@param held table limits: see http.limits
---@param most integer bytes of a body that is read in pieces
---@param deadline table of the connection
---@param write fun(bytes: string) for 100 (Continue)
---@return table? reader nil when the framing is not valid
---@return integer? code for the client, string? reason
function M.new(request, source, held, most, deadline, write)
	local framing, code, problem = bodies.framing(request.header, request)
	if framing == false then
		return nil, code, problem
	end
	local chunked = framing == "chunked"
	return setmetatable({
		request = request,
		source = source,
		held = held,
		most = most,
		deadline = deadline,
		write = write,
		chunked = chunked,
		left = chunked and 0 or framing or 0, -- of the body; of the chunk
		size = 0, -- bytes that were read
		count = 0, -- pieces that were read
		length = not chunked and framing or nil, -- of the body
		done = not chunked and (framing or 0) == 0,
		time = held.body_time, -- 1/100 s that are left
		broken = false, -- what follows is no next request
		begun = false,
	}, Reader)
end

local function refuse(self, code, text)
	self.broken = true
	aborts.raise(code, text)
end

local function refuse_size(self, most)
	refuse(self, 413, string.format("the body has more than %d bytes\n", most))
end

local function begin(self, most)
	if self.length and self.length > most then
		refuse_size(self, most)
	elseif not self.begun then
		self.begun = true
		requests.ask_for_body(self.request, self.source, self.write)
	end
end

-- The next piece of the body; nil at the end.
local function next_piece(self, count, most)
	local source = self.source
	if self.chunked and self.left == 0 then
		local size = bodies.read_chunk_size(source)
		if size == nil then
			refuse(self, 400, "malformed chunk\n")
		elseif not size or size > most - self.size then
			refuse_size(self, most)
		elseif size == 0 then
			local trailers = {}
			if not bodies.read_trailer(source, trailers, self.held) then
				refuse(self, 400, "malformed trailer\n")
			end
			self.done = true
			self.request.trailers = next(trailers) and trailers
			return nil
		end
		self.left = size
	end
	local piece = source:some(math.min(count, self.left))
	self.left, self.size = self.left - #piece, self.size + #piece
	if self.chunked and self.left == 0 and source:take(2) ~= "\r\n" then
		refuse(self, 400, "malformed chunk\n")
	end
	self.done = not self.chunked and self.left == 0
	self.count = self.count + 1
	if self.count % TURN == 0 then
		skynet.yield()
	end
	return piece
end

-- Calls a function with the time limit of a body, while what comes counts. The time is one for all of the body, and stands still while
-- the handler does something else: who sends a byte now and then is not served for ever.
local function timed(self, func, ...)
	local deadline, time = self.deadline, self.held.body_time
	if time > 0 then
		deadline:resume(self.time, time)
	end
	self.source:credit(true)
	local ok, result = pcall(func, self, ...)
	self.source:credit(false)
	if time > 0 then
		self.time = math.min(deadline:left(), time)
		deadline:clear()
	end
	if not ok then
		self.broken = true
		error(result, 0)
	end
	return result
end

local function check_usable(self)
	if self.broken then
		error("the body of the request has broken off, or its request was answered before", 3)
	end
end

--- Reads the next piece: what has come, at least a byte. Yields.
---@param count integer? the most bytes; nil: 64 KiB
---@return string? piece nil at the end. Raises an answer (http.abort) for what is malformed or too large
function Reader:read(count)
	check_usable(self)
	if self.done then
		return nil
	end
	begin(self, self.most)
	return timed(self, next_piece, math.min(count or PIECE, PIECE), self.most)
end

local function read_all(self, most)
	local parts, pieces = {}, {}
	while not self.done do
		pieces[#pieces + 1] = next_piece(self, math.maxinteger, most)
		if #pieces == TURN then -- many small chunks do not need a table entry each
			parts[#parts + 1] = table.concat(pieces)
			pieces = {}
		end
	end
	parts[#parts + 1] = table.concat(pieces)
	return table.concat(parts)
end

--- Reads the rest of the body as a whole. Yields.
---@return string
function Reader:all()
	check_usable(self)
	if self.done then
		return ""
	end
	local most = self.limit or self.held.body
	begin(self, most)
	return timed(self, read_all, most)
end

--- Takes smaller bodies from now on, however they are read. Does not yield.
---@param most integer bytes
function Reader:restrict(most)
	self.most = math.min(self.most, most)
	self.limit = math.min(self.limit or self.held.body, most)
end

--- Whether the connection can go on behind the answer, as far as is known before it. Does not yield.
---@return boolean
function Reader:may_persist()
	if self.done then
		return true
	elseif self.broken or (not self.begun and fields.has_item(self.request.header.expect, "100-continue")) then
		return false -- of a client that was not told to go on nobody knows what comes next
	end
	return self.left <= DRAIN
end

--- Reads what the handler has left. Yields; raises when the connection ends.
---@return boolean done whether the next request may follow
function Reader:drain()
	if self.done then
		return true
	elseif self.broken then
		return false
	end
	local ok = pcall(timed, self, function()
		read_all(self, self.size + DRAIN)
	end)
	return ok and self.done
end

--- The request was answered: a task that goes on reading gets an error, and nothing of the next request. Does not yield.
function Reader:close()
	self.broken = true
end

return M
