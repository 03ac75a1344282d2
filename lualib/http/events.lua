--- Server-sent events: what a server tells its clients as it happens, over one answer that does not end (WHATWG HTML §9.2).
---
---     app:get("/news", function(request)
---         return request:events(function(send)
---             listeners[send] = true -- other tasks call send({ event = "news", data = item }) as well
---             send:wait()            -- until the client has gone
---             listeners[send] = nil
---         end)
---     end)
---
--- The function runs in a task of its own; when it returns, the answer ends, and browsers connect again. `send(event)` sends a
--- string as data, or a table `{ data, event, id, retry }`, all optional: data that is a table is sent as JSON, `retry` is in ms.
--- It returns false and why ("gone", "slow", "shutdown", "done") when the client has gone, which a loop has to see. `send.last_id`
--- is what the client says of the last event that it got before it connected again.
---
--- In the function's own task, `send` waits while half of `most` bytes wait for the client: who sends again what a client has
--- missed is as fast as that reads. In other tasks it never waits. Who does not read is bounded: when more than `most` bytes wait for
--- a client, or it takes nothing for a minute while its function waits, its connection is closed. At an orderly end of the node the
--- answers end first.
---
--- Options, all optional:
---   retry       ms after which a browser connects again
---   idle_time   1/100 s without an event before a comment is sent, so that proxies do not take the connection for dead (1500)
---   most        bytes that may wait for a client (256 KiB)
---   header      more fields of the answer

local skynet = require "skynet"
local socket = require "skynet.socket"
local clients = require "http.clients"
local deadlines = require "http.deadline"
local defer = require "skynet.internal.defer"
local optionlists = require "http.options"
local output = require "skynet.internal.output"
local sockethelper = require "http.sockethelper"

local find, gsub = string.find, string.gsub

---@class http.events
local M = {}

local IDLE_TIME <const>, MOST <const> = 1500, 256 * 1024
-- Bytes after which it is looked what the client has taken.
local LOOK <const> = 16 * 1024
-- `flush` waits until no more than this is left.
local FLUSHED <const> = 16 * 1024
-- Who waits for a client looks that often what it has taken, and gives it up when that is nothing for so long; 1/100 s.
local LONGEST_LOOK <const>, PATIENCE <const> = 20, 6000
-- How long the end of the node waits for the last bytes, in 1/100 s.
local CLOSING <const> = 200

local open = {} -- set of streams

---------------------------------------------------------------- the format

local function line(name, value)
	value = tostring(value)
	if find(value, "[\r\n\0]") then
		error(string.format("events: '%s' has a line end or a NUL in it", name), 4)
	end
	return name .. ": " .. value .. "\n"
end

local function data_lines(data)
	if type(data) == "table" then
		local text, problem = require "cjson.safe".encode(data)
		data = text or error("events: data is no JSON: " .. problem, 4)
	end
	data = tostring(data)
	if find(data, "\n", 1, true) or find(data, "\r", 1, true) then
		data = gsub(gsub(data, "\r\n?", "\n"), "\n", "\ndata: ")
	end
	return "data: " .. data .. "\n"
end

local Encoded = { __name = "http.events.encoded" }

local function format(event)
	local meta = type(event) == "table" and getmetatable(event)
	if meta == Encoded then
		return event.text
	elseif meta ~= nil then
		return data_lines(event) .. "\n"
	end
	local text = ""
	if event.event ~= nil then
		text = line("event", event.event)
	end
	if event.id ~= nil then
		text = text .. line("id", event.id)
	end
	if event.retry ~= nil then
		if math.type(event.retry) ~= "integer" or event.retry < 0 then
			error("events: 'retry' is a number of milliseconds", 3)
		end
		text = text .. line("retry", event.retry)
	end
	if event.data ~= nil then
		text = text .. data_lines(event.data)
	elseif text == "" then
		error("events: a table has to have data, event, id or retry; JSON is sent with { data = value }", 3)
	end
	return text .. "\n"
end

--- Makes an event once that is sent to many: `send(event)` takes it. Does not yield.
---@param event any as of `send`
---@return any event
function M.encode(event)
	return setmetatable({ text = format(event) }, Encoded)
end

---------------------------------------------------------------- streams

-- The end: of `send` for its callers, of the body when what waits has been sent.
local function finish(stream, reason)
	if stream.ended then
		return
	end
	stream.ended = reason
	open[stream] = nil
	stream.deadline:clear()
	socket.onclose(stream.id, nil)
	if stream.reading then
		stream.reading = false
		skynet.wakeup(stream.reader)
	end
	for _, token in ipairs(stream.waiting) do
		skynet.wakeup(token)
	end
end

local function give_up(stream, text)
	clients.complain("http", stream.id, stream.address, text)
	finish(stream, "slow")
	stream.queue = {}
	socket.shutdown(stream.id)
	return false, "slow"
end

local function push(stream, text, has_room)
	if stream.ended then
		return false, stream.ended
	end
	stream.size, stream.unseen = stream.size + #text, stream.unseen + #text
	if stream.unseen >= LOOK or stream.size + stream.output > stream.most then
		stream.unseen = 0
		stream.output = output(stream.id)
	end
	if stream.size + stream.output > stream.most and not has_room then
		local problem = stream.output * 2 > stream.most and "it does not read its events, and more than %d bytes wait"
			or "more than %d bytes of events were sent to it at once: send:flush() lets them leave first"
		return give_up(stream, string.format(problem, stream.most))
	end
	stream.queue[#stream.queue + 1] = text
	stream.silent = false
	if stream.reading then
		stream.reading = false
		skynet.wakeup(stream.reader)
	end
	return true
end

-- Whether the stream ends before the time is over.
local function await_end(stream, time)
	local token = {}
	if stream.ended then
		return
	end
	table.insert(stream.waiting, token)
	if time then
		skynet.sleep(time, token)
	else
		skynet.wait(token)
	end
	for index, other in ipairs(stream.waiting) do
		if other == token then
			table.remove(stream.waiting, index)
			break
		end
	end
end

-- Waits until no more than so many bytes wait for the client, or it has gone, or takes nothing.
local function drain(stream, most)
	local look, last, since = 1, -1, skynet.now()
	while not stream.ended do
		local waiting, sent = output(stream.id)
		stream.output, stream.unseen = waiting, 0
		if stream.size + waiting <= most then
			return
		elseif sent ~= last then
			look, last, since = 1, sent, skynet.now()
		elseif skynet.now() - since >= PATIENCE then
			local text = "it has read none of its events for %d s"
			return give_up(stream, string.format(text, PATIENCE // 100))
		end
		await_end(stream, look)
		look = math.min(look * 2, LONGEST_LOOK)
	end
end

-- Before the function's own task sends so many bytes: half of what may wait is left for what others send. True when there is room
-- now, even for one event that is larger.
local function make_room(stream, bytes)
	stream.output, stream.unseen = output(stream.id), 0
	if coroutine.isyieldable() and stream.size + stream.output + bytes > stream.most // 2 then
		skynet.yield() -- what has been sent leaves
		drain(stream, math.min(FLUSHED, stream.most // 4))
		return true
	end
end

---@class http.events.Send
---@field last_id string? `Last-Event-ID` of the client, the id of the last event it got before it connected again
local Send = {}
Send.__index = Send

function Send:__call(event)
	local stream, text = self.stream, format(event)
	local is_full = stream.size + stream.unseen + stream.output + #text > stream.most // 2
	return push(stream, text, is_full and coroutine.running() == stream.task and make_room(stream, #text))
end

--- Sends a comment, of which a client's program sees nothing. Does not yield.
---@param text string
---@return boolean ok, string? reason
function Send:comment(text)
	return push(self.stream, ": " .. gsub(text, "[\r\n]+", " ") .. "\n\n")
end

--- Waits until the client has gone. Yields.
---@param time integer? 1/100 s, after which it returns although the client is there
---@return boolean there, string? reason as of `send`
function Send:wait(time)
	local stream = self.stream
	await_end(stream, time)
	return not stream.ended, stream.ended
end

--- Waits until what was sent has left, for who makes events faster than a client reads. Yields.
---@return boolean there, string? reason as of `send`
function Send:flush()
	local stream = self.stream
	skynet.yield()
	drain(stream, FLUSHED)
	return not stream.ended, stream.ended
end

--- Ends the answer behind what was sent. Does not yield.
function Send:close()
	finish(self.stream, "done")
end

---------------------------------------------------------------- the body

local Stream = { __name = "http.events" }

local function keep_alive(stream)
	return function()
		if not stream.ended then
			if stream.silent and stream.size + output(stream.id) == 0 then
				push(stream, ":\n\n")
			end
			if not stream.ended then
				stream.silent = true
				stream.deadline:set(stream.idle_time)
			end
		end
	end
end

local close_at_shutdown

local function finish_well(stream)
	finish(stream, "done")
end

local function start(stream)
	local id = stream.id
	stream.started = true
	open[stream] = true
	stream.deadline = deadlines.new(id, keep_alive(stream))
	stream.deadline:set(stream.idle_time)
	socket.onclose(id, function()
		finish(stream, "gone")
	end)
	if socket.disconnected(id) ~= false then
		finish(stream, "gone")
	end
	close_at_shutdown()
	skynet.fork(function()
		stream.task = coroutine.running()
		local _ <close> = defer(finish_well, stream)
		local ok, problem = xpcall(stream.produce, debug.traceback, stream.send)
		if not ok then
			skynet.error("http.events: " .. tostring(problem))
		end
	end)
end

-- The next piece: what has been sent since the last one.
function Stream.__call(stream)
	if not stream.started then
		start(stream)
		return stream.retry and string.format("retry: %d\n\n", stream.retry) or ":\n\n" -- the client sees the header
	end
	while true do
		local queue = stream.queue
		if #queue > 0 then
			stream.queue, stream.size = {}, 0
			return table.concat(queue)
		elseif stream.ended == "gone" or stream.ended == "slow" then
			error(sockethelper.socket_error "the client has gone")
		elseif stream.ended then
			return nil
		end
		stream.reading = true
		skynet.wait(stream.reader)
	end
end

function Stream.__close(stream)
	if stream.started then
		finish(stream, "gone")
	end
	stream.closed = true
end

--- The answer that sends events: `request:events(produce, options)`. Does not yield.
---@param request table of http.server
---@param produce fun(send: http.events.Send)
---@param options table? see above
---@return integer code, table body, table header
function M.answer(request, produce, options)
	options = optionlists.check("events", options, { "retry", "idle_time", "most", "header" })
	local meta = getmetatable(request)
	local connection = meta and meta.connection
	if not connection then
		error("events: the request has to come from http.server", 2)
	elseif type(produce) ~= "function" then
		error("events: a function(send) is expected, not " .. type(produce), 2)
	end
	local stream = setmetatable({
		id = connection.id,
		address = connection.address,
		produce = produce,
		most = options.most or MOST,
		idle_time = options.idle_time or IDLE_TIME,
		retry = options.retry,
		queue = {},
		size = 0, -- bytes in the queue
		output = 0, -- that waited in the socket when it was looked
		unseen = 0, -- written since then
		silent = true, -- nothing was sent since the last look
		reader = {}, -- wakes who asks for pieces
		waiting = {}, -- tokens of tasks that wait for the end
	}, Stream)
	stream.send = setmetatable({ stream = stream, last_id = request:get "last-event-id" }, Send)
	local header = {
		["content-type"] = "text/event-stream",
		["cache-control"] = "no-cache",
		["x-accel-buffering"] = "no", -- nginx
	}
	for name, value in pairs(options.header or {}) do
		header[name] = value
	end
	return 200, stream, header
end

--- Ends all answers that send events, as at the end of the node: browsers connect again, to whoever listens then. Yields until the
--- last bytes are on their way, for two seconds at most.
function M.close_all()
	local closing = {}
	for stream in pairs(open) do
		closing[#closing + 1] = stream
	end
	for _, stream in ipairs(closing) do
		finish(stream, "shutdown")
	end
	local limit = skynet.now() + CLOSING
	for _, stream in ipairs(closing) do
		while not stream.closed and skynet.now() < limit do
			skynet.sleep(1)
		end
	end
end

-- Once, when the first client is there: a service without events has nothing to do at the end.
function close_at_shutdown()
	close_at_shutdown = function() end
	if skynet.on_shutdown then
		skynet.on_shutdown(M.close_all)
	end
end

--- How many answers of this service send events. Does not yield.
---@return integer
function M.count()
	local count = 0
	for _ in pairs(open) do
		count = count + 1
	end
	return count
end

return M
