--- Whether the other side of a connection takes what is written to it: a bound for what waits that honest bursts do not meet.
---
---     local refusal = outflow.watch(fd, 64 * 1024 * 1024)
---     local why = refusal() -- before each write; nil: go on
---
--- Whatever is sent to who takes something of it waits without limit, as it always has; only when he has taken nothing for
--- some seconds, and more than the limit waits already, there is a refusal.

local skynet = require "skynet"
local socket = require "skynet.socket"

local PATIENCE <const> = 300 -- 1/100 s in which something has to be taken
local LOOK <const> = 50      -- 1/100 s between two looks

local M = {}

local function figures(fd)
	for _, info in ipairs(socket.netstat()) do
		if info.id == fd then
			return info.write or 0, info.wbuffer or 0
		end
	end
	return 0, 0
end

--- Takes the place of socket.warning for the socket. Does not yield.
---@param fd integer
---@param limit integer bytes
---@return fun(): string? refusal
function M.watch(fd, limit)
	local queued = false -- more than 1 MiB waits
	local taken, taken_at, size, seen = 0, 0, 0, 0

	local function look(now)
		local written
		written, size = figures(fd)
		seen = now
		if written ~= taken then
			taken, taken_at = written, now
		end
	end

	socket.warning(fd, function(_, kilobytes)
		local began = kilobytes > 0 and not queued
		queued = kilobytes > 0
		if queued then
			skynet.error(string.format("WARNING: %d K bytes need to send out (fd = %d)", kilobytes, fd))
		end
		if began then
			taken_at = skynet.now()
			look(taken_at)
		end
	end)

	return function()
		if not queued then
			return nil
		end
		local now = skynet.now()
		if now - seen >= LOOK then
			look(now)
		end
		if size >= limit and now - taken_at >= PATIENCE then
			return string.format("%d bytes wait in the connection, and it has taken none of them for %.2f s", size,
				(now - taken_at) / 100)
		end
	end
end

return M
