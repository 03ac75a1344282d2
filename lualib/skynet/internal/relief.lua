--- Descriptors for who comes behind connections that say nothing: when a listener cannot accept, because the node has no
--- descriptors left, the older half of its connections on which neither side has ever sent a byte are closed. Which service
--- owns them does not matter. When a connection is accepted meanwhile, there are descriptors again, and nothing is closed.

local skynet = require "skynet"
local driver = require "skynet.socketdriver"
local recurring = require "skynet.internal.recurring"

local M = {}

-- So long the connections that are there when descriptors run out may still begin to speak; 1/100 s.
local GRACE <const> = 200
-- Of so many connections it is known that they came from a listener: of those that came last.
local KNOWN <const> = 65536

--- A connection has come. Does not yield.
---@param listener table what is known of the listener: `arrivals`, `count`
---@param id integer
function M.arrived(listener, id)
	local count = (listener.count or 0) + 1
	listener.count = count
	listener.arrivals = listener.arrivals or {}
	listener.arrivals[(count - 1) % KNOWN + 1] = id
end

-- Ids of all streams of the node on which nothing was sent, in either direction.
local function silent_streams()
	local silent = {}
	for _, info in ipairs(driver.info()) do
		if info.type == "TCP" and info.read == 0 and info.write == 0 and (info.wbuffer or 0) == 0 then
			silent[info.id] = true
		end
	end
	return silent
end

-- Closes the older half of the silent ones among the first `last` arrivals. Returns how many.
local function close_silent(listener, last)
	local silent, found = silent_streams(), {}
	for number = math.max(listener.count - KNOWN, 0) + 1, last do
		local id = listener.arrivals[(number - 1) % KNOWN + 1]
		if silent[id] then
			found[#found + 1] = id
		end
	end
	local closed = (#found + 1) // 2
	for index = 1, closed do
		driver.shutdown(found[index]) -- its owner is told as ever
	end
	return closed
end

--- A connection could not be accepted. Does not yield.
---@param listener table see `arrived`; and `id`
function M.starved(listener)
	listener.failed = listener.count
	if not listener.count then
		return
	end
	listener.relief = listener.relief
		or recurring(function()
			local last = listener.last
			local works_again = listener.count > listener.failed
			local closed = works_again and 0 or close_silent(listener, last)
			if closed > 0 then
				skynet.error(
					string.format(
						"socket: no descriptors left: %d connections of listener %d on which nothing was ever sent are closed",
						closed,
						listener.id
					)
				)
			end
		end)
	if listener.relief(GRACE) then
		listener.last = listener.count
	end
end

return M
