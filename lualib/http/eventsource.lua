--- A client of server-sent events (WHATWG HTML §9.2): what `httpc.events` gives.
---
---     for event in httpc.events("http://127.0.0.1:8001/news") do
---         print(event.event, event.data, event.id)
---     end
---
--- When the connection ends, it connects again after the time that the server has last asked for, 1/10 s at least, and tells it the id of
--- the last event; so it does when the server cannot be reached or answers 500, 502, 503 or 504, each time later, up to a minute.
--- The loop ends when the server answers 204 (no more events), or by `close`. It raises for another code or content-type, and for
--- an event that is too large.
---
--- Options, all optional:
---   header      more fields of the request
---   last_id     the id to go on behind
---   retry       1/100 s before it connects again, until the server says another one (300; at least 10)
---   attempts    raise after so many attempts in a row that led to no answer; nil: try for ever
---   idle_time   1/100 s without a byte, comments count, after which the connection is taken for lost; nil: none
---   most        the most bytes of an event (1 MiB)

local argument = require "http.argument"
local skynet = require "skynet"
local deadlines = require "http.deadline"
local defer = require "skynet.internal.defer"
local sockethelper = require "http.sockethelper"

local find, sub, byte = string.find, string.sub, string.byte

---@class http.eventsource
local M = {}

---@class http.eventsource.Event
---@field event string the type, "message" unless the server says another one
---@field data string
---@field id string the last id that was sent, "" for none

---@class http.eventsource.EventSource
---@field last_id string? id of the last event
---@field retry integer 1/100 s
local EventSource = {}
EventSource.__index = EventSource

-- A longer id would not fit into a header.
local MOST_ID <const> = 4096
local MOST <const>, RETRY <const>, LONGEST <const> = 1024 * 1024, 300, 6000
-- 1/100 s: no server has its clients connect again at once, for ever, and no option does.
local LEAST_RETRY <const> = 10

---------------------------------------------------------------- the format

-- What a line says. Returns an event when it is whole.
local function take_line(parser, text)
	if text == "" then
		local data = parser.data
		local event = parser.event
		parser.data, parser.event, parser.size = nil, nil, 0
		parser.owner.last_id = parser.id or parser.owner.last_id
		if data then
			return { event = event or "message", data = table.concat(data, "\n"), id = parser.owner.last_id or "" }
		end
		return nil
	end
	local colon = find(text, ":", 1, true)
	if colon == 1 then
		return nil -- a comment
	end
	local name, value = text, ""
	if colon then
		name = sub(text, 1, colon - 1)
		value = sub(text, byte(text, colon + 1) == 32 and colon + 2 or colon + 1)
	end
	if name == "data" then
		parser.data = parser.data or {}
		table.insert(parser.data, value)
		parser.size = parser.size + #value + 1
	elseif name == "event" then
		parser.event = value ~= "" and value or nil
	elseif name == "id" and #value <= MOST_ID and not find(value, "\0", 1, true) then
		parser.id = value
	elseif name == "retry" and find(value, "^%d+$") then
		local time = math.min(math.tointeger(tonumber(value)) or math.maxinteger, 86400000) // 10
		parser.owner.retry = math.max(time, LEAST_RETRY)
	end
end

-- Puts the events of a piece into the list. Lines end with CR LF, LF or CR, and pieces anywhere.
local function take(parser, piece, events, most)
	local at = 1
	if parser.after_cr and byte(piece) == 10 then
		at = 2
	end
	if #piece >= at then
		parser.after_cr = false
	end
	while true do
		local stop = find(piece, "[\r\n]", at)
		if not stop then
			break
		end
		local text = sub(piece, at, stop - 1)
		if parser.parts[1] then
			table.insert(parser.parts, text)
			text, parser.parts = table.concat(parser.parts), {}
		end
		parser.partial = 0
		if not parser.began then
			parser.began = true
			text = (string.gsub(text, "^\xef\xbb\xbf", ""))
		end
		local event = take_line(parser, text)
		if event then
			events[#events + 1] = event
		end
		at = stop + 1
		if byte(piece, stop) == 13 then
			if stop == #piece then
				parser.after_cr = true
			elseif byte(piece, at) == 10 then
				at = at + 1
			end
		end
		if parser.size > most then
			return false
		end
	end
	if at <= #piece then
		table.insert(parser.parts, sub(piece, at))
		parser.partial = parser.partial + #piece - at + 1
	end
	return parser.size + parser.partial <= most
end

local function new_parser(owner)
	-- parts: pieces of a line without its end, of so many bytes; data: lines of an event, of so many bytes
	return { owner = owner, parts = {}, partial = 0, data = nil, size = 0, began = false, after_cr = false }
end

---------------------------------------------------------------- connections

local function fail(self, text)
	self:close()
	error(string.format("events of %s: %s", self.url, text), 0)
end

-- Sends the request. Returns a stream; nil when it is to be tried again, false when there are no more events.
local function connect(self)
	local header = { accept = "text/event-stream", ["cache-control"] = "no-cache" }
	for name, value in pairs(self.header) do
		header[name] = value
	end
	if self.last_id and self.last_id ~= "" then
		header["last-event-id"] = self.last_id
	end
	local received = {}
	local ok, stream = pcall(self.client.request_stream, "GET", self.host, self.target, received, header)
	if not ok then
		if stream ~= sockethelper.socket_error then
			error(stream, 0)
		end
		return nil, tostring(stream)
	end
	local code = stream.status
	if code == 204 then
		stream:close()
		return false
	elseif code ~= 200 then
		stream:close()
		if code == 500 or (code >= 502 and code <= 504) then -- it is being replaced, or the proxy before it waits for it
			return nil, string.format("the server answers %d", code)
		end
		fail(
			self,
			string.format(
				"the server answers %d%s",
				code,
				received.location and " (" .. tostring(received.location) .. ")" or ""
			)
		)
	end
	local kind = received["content-type"]
	if type(kind) ~= "string" or not find(string.lower(kind), "^%s*text/event%-stream%f[;%s\0]") then
		stream:close()
		fail(self, string.format("the content-type is %s, not text/event-stream", tostring(kind)))
	end
	return stream
end

-- Waits before the next attempt.
local function pause(self, time)
	self.sleeping = {}
	skynet.sleep(time, self.sleeping)
	self.sleeping = nil
end

-- Connects until it succeeds. Returns false when there are no more events.
local function open(self)
	while not self.closed do
		local stream, problem = connect(self)
		if stream == false then
			return false
		elseif stream then
			self.failures, self.parser = 0, new_parser(self)
			if self.closed then
				stream:close()
				return false
			end
			self.stream = stream
			self.deadline = deadlines.new(0, function()
				stream:shutdown()
			end)
			return true
		end
		self.failures = self.failures + 1
		if self.attempts and self.failures >= self.attempts then
			fail(self, string.format("%d attempts, and no answer: %s", self.failures, problem))
		end
		pause(self, math.min(self.retry << math.min(self.failures - 1, 20), math.max(LONGEST, self.retry)))
	end
	return false
end

local function stop_reading(self)
	self.reading = false
	if self.idle_time then
		self.deadline:clear()
	end
end

-- The next piece of the stream; nil at its end, however it came.
local function read(self)
	self.reading = true
	local _ <close> = defer(stop_reading, self)
	if self.idle_time then
		self.deadline:set(self.idle_time)
	end
	local ok, piece = pcall(self.stream)
	return ok and piece or nil
end

--- The next event. Yields; connects again if need be.
---@return http.eventsource.Event? event nil when there are no more
function EventSource:next()
	while true do
		local at = self.at
		local event = self.events[at]
		if event then
			self.events[at], self.at = nil, at + 1
			return event
		end
		self.events, self.at = {}, 1
		if self.closed then
			return nil
		elseif not self.stream then
			if self.again and not self.closed then
				pause(self, self.retry)
			end
			self.again = true
			if not open(self) then
				self:close()
				return nil
			end
		end
		local piece = read(self)
		if self.closed then
			return nil
		elseif not piece then
			self.stream = nil -- it has closed itself
		elseif not take(self.parser, piece, self.events, self.most) then
			fail(self, string.format("an event of more than %d bytes", self.most))
		end
	end
end

--- Ends the loop, of another task too. Yields.
function EventSource:close()
	if self.closed then
		return
	end
	self.closed, self.events, self.at = true, {}, 1
	if self.sleeping then
		skynet.wakeup(self.sleeping)
	end
	local stream = self.stream
	self.stream = nil
	if stream and self.reading then
		stream:shutdown()
	elseif stream then
		stream:close()
	end
end

EventSource.__call = EventSource.next
EventSource.__close = EventSource.close

--- Makes a source of events, which connects with the first one that it is asked for: `httpc.events(url, options)`. Does not yield.
---@param client table httpc, or one of its clients
---@param url string
---@param options table? see above
---@return http.eventsource.EventSource source
function M.new(client, url, options)
	options = options or {}
	argument.check(url, "text", "events: the URL", 2)
	argument.check(options, "table", "events: options", 2)
	local host, target = string.match(url, "^(%a[%w+.-]*://[^/?#]+)([^#]*)")
	if not host then
		argument.refuse(string.format("events: '%s' is no URL, as 'http://host:port/path'", tostring(url)), 2)
	elseif byte(target) ~= 47 then
		target = "/" .. target
	end
	return setmetatable({
		client = client,
		url = url,
		host = host,
		target = target,
		header = options.header or {},
		last_id = options.last_id,
		retry = math.max(math.ceil(options.retry or RETRY), LEAST_RETRY),
		attempts = options.attempts,
		idle_time = options.idle_time,
		most = options.most or MOST,
		events = {}, -- that were read, those from `at` on not taken
		at = 1,
		failures = 0, -- in a row
		closed = false,
	}, EventSource)
end

return M
