--- Whether the other side of a connection takes what is written to it: a bound for what waits that honest bursts do not meet.
---
---     local out = outflow.watch(fd, 64 * 1024 * 1024, 65536)
---     local why = out.refusal() -- before each write; nil: go on
---     local messages, bytes = out.waiting()
---
--- A peer that takes something all the time is given a burst of sixteen times the limit; one that takes nothing, three
--- seconds at the limit, and less the more waits: three quarters of a second at twice of it, a third of a second at three
--- times. So what waits for one that is frozen stays near the limit, however fast it comes.

local skynet = require "skynet"
local socket = require "skynet.socket"
local output = require "skynet.internal.output"

local PATIENCE <const> = 300 -- 1/100 s in which something has to be taken at the limit
local MOST <const> = 16 -- times the limit, also for a peer that takes something all the time
local LOOK <const> = 50 -- 1/100 s between two looks
local LOOK_EACH <const> = 64 -- messages between two looks

local M = {}

--- Whether so much is too much.
---@param level number how much waits, as a multiple of the limit
---@param silence integer 1/100 s for which the other side has shown no sign of life
---@return boolean
function M.is_over(level, silence)
	return level >= MOST or level >= 1 and silence * level * level >= PATIENCE
end

--- Takes the place of socket.warning for the socket. Does not yield.
---@param fd integer
---@param limit integer bytes
---@param most integer messages
---@return { refusal: fun(): string?, waiting: fun(): integer, integer }
function M.watch(fd, limit, most)
	local queued = false -- more than 1 MiB waits
	local size, sent, taken_at, seen = 0, 0, 0, 0
	local count, gone = 0, 0 -- messages since then, and those of them that are sent
	local marks, first, last = {}, 1, 0 -- pairs of a number of messages and of bytes, with them

	local function look(now)
		local before = sent
		size, sent = output(fd)
		seen = now
		if sent ~= before then
			taken_at = now
		end
		while first < last and marks[first + 1] <= sent do
			gone = marks[first]
			marks[first], marks[first + 1] = nil, nil
			first = first + 2
		end
		marks[last + 1], marks[last + 2] = count, size + sent
		last = last + 2
	end

	local function level()
		return math.max(size / limit, (count - gone) / most)
	end

	local out = {}

	function out.refusal()
		if not queued then
			return nil
		end
		local now = skynet.now()
		if count % LOOK_EACH == 0 or now - seen >= LOOK then
			look(now)
		end
		if M.is_over(level(), now - taken_at) then
			look(now) -- it may be a while since the last one
			if M.is_over(level(), now - taken_at) then
				return string.format(
					"%d messages of %d bytes wait in the connection, and it has taken none of them for %.2f s",
					count - gone,
					size,
					(now - taken_at) / 100
				)
			end
		end
		count = count + 1
	end

	function out.waiting()
		if queued then
			look(skynet.now())
		end
		return queued and count - gone or 0, (output(fd))
	end

	socket.warning(fd, function(_, kilobytes)
		local began = kilobytes > 0 and not queued
		queued = kilobytes > 0
		if queued then
			skynet.error(string.format("WARNING: %d K bytes need to send out (fd = %d)", kilobytes, fd))
		end
		if began then
			count, gone, marks, first, last = 0, 0, {}, 1, 0
			taken_at = skynet.now()
			look(taken_at)
		end
	end)
	return out
end

return M
