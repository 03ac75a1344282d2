--- Output that a peer does not take: a connection is not served further while there is much of it, so what a
--- peer asks for and does not read is bounded.

local limitedlog = require "skynet.internal.limitedlog"
local skynet = require "skynet"
local socket = require "skynet.socket"
local output = require "skynet.internal.output"

local M = {}
local Backlog = {}
Backlog.__index = Backlog

local log = limitedlog()
local LOOK <const> = 100 -- 1/100 s: how often it is looked whether the connection has ended meanwhile
-- Bytes after which others get their turn, and it is looked what waits: a task that goes on writing hears of no change.
local UNSEEN <const> = 256 * 1024

--- Watches the output of a socket, in place of socket.warning. Does not yield.
---@param id integer
---@param on_change? fun(id: integer, kilobytes: integer) as of socket.warning; nil: a line in the log
---@return table backlog `kilobytes` at the last change: 0 below 1 MiB
function M.watch(id, on_change)
	local self = setmetatable({ id = id, kilobytes = 0, unseen = 0 }, Backlog)
	socket.warning(id, function(_, kilobytes)
		self.kilobytes = kilobytes
		if kilobytes == 0 and self.waiting then
			skynet.wakeup(self.waiting)
		end
		if on_change then
			on_change(id, kilobytes)
		elseif kilobytes > 0 then
			log(string.format("WARNING: %d K bytes need to send out (fd = %d)", kilobytes, id))
		end
	end)
	return self
end

--- So much has been written since. Does not yield.
---@param bytes integer
function Backlog:wrote(bytes)
	self.unseen = self.unseen + bytes
end

--- Waits until less than `most` wait to be sent, or the connection has ended. Yields.
---@param most integer kilobytes: 1024, or a power of two times that
---@param deadline table? is set for the time that it takes: see http.deadline
---@param time integer? 1/100 s
function Backlog:wait(most, deadline, time)
	if self.unseen >= UNSEEN then
		self.unseen = 0
		skynet.yield()
		self.kilobytes = output(self.id) // 1024
	end
	if self.kilobytes < most then
		return
	end
	if deadline then
		deadline:set(time, true)
	end
	while self.kilobytes >= most and socket.disconnected(self.id) == false do
		self.waiting = self
		skynet.sleep(LOOK, self)
		self.kilobytes = self.kilobytes > 0 and output(self.id) // 1024 or 0
	end
	self.waiting = nil
	if deadline then
		deadline:clear()
	end
end

return M
