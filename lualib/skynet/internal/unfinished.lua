--- Large messages that come in parts on one connection: they have to be what was announced, and no more of them may be
--- unfinished than its limits allow.
---
---     local messages = unfinished.new(64, 1024 * 1024 * 1024) -- so many, of so many bytes together
---     local fault = messages:begin(session, size)             -- size: bytes of all its parts
---     local fault = messages:add(session, size, more)         -- more: parts follow
---
---     messages:watch { tell = function(bytes) end, is_held_up = function() end, give_up = function(why) end }
---
--- A fault is what is wrong with the message, for the log: "begins twice"; nil when nothing is. One that has ended, well or
--- not, is forgotten.

local skynet = require "skynet"
local recurring = require "skynet.internal.recurring"

local REPORT <const> = 1024 * 1024 -- bytes more or less that are told
local TIME <const> = 12000 -- 1/100 s in which something has to come of a message that has begun

local Messages = {}
Messages.__index = Messages

-- Who begins a message has to go on with it.
local function look(self)
	local watcher = self.watcher
	if self.count == 0 or self.closed then
		return nil
	elseif watcher.is_held_up() then
		self.came_at = skynet.now()
	elseif skynet.now() - self.came_at >= TIME then
		self.closed = true
		watcher.give_up(string.format("nothing of %d large requests has come for %d s", self.count, TIME // 100))
		return nil
	end
	return TIME // 4
end

-- Something has come, or is forgotten.
local function progress(self)
	local watcher, bytes = self.watcher, self.received
	if not watcher then
		return
	end
	self.came_at = skynet.now()
	if math.abs(bytes - self.told) >= REPORT or bytes == 0 and self.told > 0 then
		self.told = bytes
		watcher.tell(bytes)
	end
	if self.count > 0 then
		self.watch_progress(TIME // 4)
	end
end

--- Has messages that do not get on ended, and tells how much has come of those that are unfinished. Does not yield.
---
--- tell(bytes): that of many messages, or of large ones; is_held_up(): nothing is read at the moment; give_up(why): nothing has
--- come for two minutes.
---@param watcher { tell: fun(bytes: integer), is_held_up: (fun(): boolean), give_up: fun(why: string) }
function Messages:watch(watcher)
	self.watcher, self.told, self.came_at = watcher, 0, skynet.now()
	self.watch_progress = recurring(function()
		return look(self)
	end)
end

--- Forgets a message. Does nothing for one that is not known.
---@param session integer
function Messages:forget(session)
	local size = self.announced[session]
	if size then
		self.count, self.bytes = self.count - 1, self.bytes - size
		self.received = self.received - (size - self.missing[session])
		self.announced[session], self.missing[session] = nil, nil
	end
end

--- A message begins.
---@param session integer
---@param size integer bytes of all its parts
---@return string? fault
function Messages:begin(session, size)
	if self.announced[session] then
		return "begins twice"
	elseif size == 0 then
		return "announces no bytes"
	elseif self.count >= self.most or self.bytes + size > self.most_bytes then
		return string.format(
			"is too much: %d unfinished of %d bytes, allowed are %d of %d",
			self.count + 1,
			self.bytes + size,
			self.most,
			self.most_bytes
		)
	end
	self.announced[session], self.missing[session] = size, size
	self.count, self.bytes = self.count + 1, self.bytes + size
	progress(self)
end

local function fault_of(self, session, size, more)
	local missing = self.missing[session]
	if not missing then
		return "has a part before its beginning"
	elseif size == 0 then
		return "has a part without bytes" -- any number of them would be within what was announced
	elseif size > missing then
		return string.format("has more than the %d bytes that it announced", self.announced[session])
	elseif size < missing and not more then
		return string.format("ends %d bytes before the %d that it announced", missing - size, self.announced[session])
	end
end

--- A part of a message.
---@param session integer
---@param size integer bytes of the part
---@param more boolean whether parts follow
---@return string? fault
function Messages:add(session, size, more)
	local fault = fault_of(self, session, size, more)
	if fault or not more then
		self:forget(session)
	else
		self.missing[session] = self.missing[session] - size
		self.received = self.received + size
	end
	progress(self)
	return fault
end

--- None yet, and what there may be.
---@param most integer messages
---@param most_bytes integer of them together
local function new(most, most_bytes)
	return setmetatable({
		most = most,
		most_bytes = most_bytes,
		count = 0,
		bytes = 0,
		received = 0, -- bytes that have come, of all that are unfinished
		announced = {}, -- session -> bytes
		missing = {}, -- session -> those that have not come
	}, Messages)
end

return { new = new }
