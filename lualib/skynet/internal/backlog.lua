--- Whether who is connected reads what is written to it, and whether a service can keep up.
---
---     local reader = backlog.reader(fd, function(why) end) -- called when nothing was read for a minute
---     reader.warning(kilobytes)                            -- the events "warning" of the socket
---     if reader.is_deaf() or backlog.is_behind(":0000000a") then ... end

local core = require "skynet.core"
local skynet = require "skynet"
local driver = require "skynet.socketdriver"

local DEAF_LOOK <const> = 50 -- 1/100 s between two looks at what waits to be sent
local DEAF_TIME <const> = 6000 -- 1/100 s in which something of it has to be read
local MAX_BEHIND <const> = 1000 -- messages

local M = {}

--- Whether more wait for a service, "" is this one, than it can soon handle.
---@param address string
---@return boolean
function M.is_behind(address)
	local waiting = core.command("MQLEN", address)
	return waiting ~= nil and tonumber(waiting) > MAX_BEHIND
end

local function output_waiting(fd)
	for _, info in ipairs(driver.info()) do
		if info.id == fd then
			return info.wbuffer or 0
		end
	end
	return 0
end

function M.reader(fd, give_up)
	local deaf -- { size, since, seen }: bytes that wait to be sent, since when it is not less; last look
	local reader = {}

	function reader.warning(kilobytes)
		local now = skynet.now()
		if kilobytes == 0 then
			deaf = nil
		elseif not deaf then
			deaf = { size = kilobytes * 1024, since = now, seen = now }
		end
	end

	function reader.is_deaf()
		if not deaf then
			return false
		end
		local now = skynet.now()
		if now - deaf.seen >= DEAF_LOOK then
			local size = output_waiting(fd)
			deaf.seen = now
			if size < deaf.size then
				deaf.size, deaf.since = size, now
			elseif now - deaf.since > DEAF_TIME then
				give_up(string.format("it has read nothing of %d bytes in %d s", size, DEAF_TIME // 100))
			end
		end
		return now - deaf.since > 100
	end

	return reader
end

return M
