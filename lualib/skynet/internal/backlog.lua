--- Whether who is connected reads what is written to it, and whether a service can keep up.
---
---     local reader = backlog.reader(fd, give_up, tell) -- give_up(why): nothing was read for a minute; tell(): more waits than was told
---     reader.warning(kilobytes)                        -- the events "warning" of the socket
---     reader.wrote(bytes)                              -- an answer, whether it waits or not
---     if reader.is_deaf(in_work) or backlog.is_behind(":0000000a") then ... end
---     local flow = backlog.flow(":0000000a")
---     flow.sent = flow.sent + 1                            -- for each message that is sent there
---     if flow.waiting() > 1000 and flow.share() == 0 then ... end

local core = require "skynet.core"
local skynet = require "skynet"
local output = require "skynet.internal.output"

local DEAF_LOOK <const> = 50 -- 1/100 s between two looks at what waits to be sent
local DEAF_TIME <const> = 6000 -- 1/100 s in which something of it has to be read
local MAX_BEHIND <const> = 1000 -- messages
local MOST_UNREAD <const> = 4 * 1024 * 1024 -- bytes
local MOST_TO_COME <const> = 64 * 1024 * 1024 -- bytes of answers, also for who reads: then a little is asked at a time
local UNSEEN <const> = 64 * 1024 -- bytes that are written between two looks at what waits
local TOLD <const> = 256 * 1024 -- bytes more that wait, and are told
local MOST_SHARED <const> = 1024 -- messages

local M = {}

--- Whether more wait for a service, "" is this one, than it can soon handle.
---@param address string
---@return boolean
function M.is_behind(address)
	local waiting = core.command("MQLEN", address)
	return waiting ~= nil and tonumber(waiting) > MAX_BEHIND
end

--- What this service sends to another one and that one has not handled: `sent` is counted up with each message, from the first
--- one after this call on, and `waiting` answers how many wait. The other service says what waited when it looked last, and how
--- many it has handled in all, those of others too; so never too many are seen here. Were messages counted later than they are
--- sent, some that had been handled by then would be taken for such that wait, for ever.
---
--- `share` answers how many may be sent although too many wait, for instance because others keep the mailbox full: half of
--- what the other service has handled, so it does not fall back further; one that handles nothing gets none. What is sent of
--- them is taken with `take_share`.
---@param address string
---@return { sent: integer, waiting: (fun(): integer), share: (fun(): integer), take_share: fun(count: integer) }
function M.flow(address)
	local flow = { sent = 0 }
	local unshared, seen = 0, nil -- messages that were handled and give nobody a turn yet; handled at the last look

	function flow.share()
		return unshared // 2
	end

	function flow.take_share(count)
		unshared = math.max(unshared - 2 * count, 0)
	end

	if not string.find(address, "^[.:]") then
		function flow.waiting()
			return 0 -- a name of the network of harbors: what waits there is not known here
		end
		return flow
	end
	local base = tonumber((core.command("HANDLED", address)))

	function flow.waiting()
		local handled = tonumber((core.command("HANDLED", address)))
		if not handled then
			return 0 -- it has ended, or this core does not tell
		end
		base = base or handled -- a local name may come later
		unshared = math.min(unshared + math.max(handled - (seen or handled), 0), 2 * MOST_SHARED)
		seen = handled
		if handled - base >= flow.sent then
			flow.sent, base = 0, handled
		end
		return math.max(flow.sent - (handled - base), tonumber((core.command("MQLEN", address))) or 0)
	end

	return flow
end

-- Sees now and then whether less waits than before. Returns whether that was not so for too long.
local function is_stuck(deaf, size, now)
	if now - deaf.seen < DEAF_LOOK then
		return false
	end
	deaf.seen = now
	if size < deaf.size then
		deaf.size, deaf.since = size, now
	end
	return now - deaf.since > DEAF_TIME
end

--- Whether who is connected takes what is written to it.
---@param fd integer
---@param give_up fun(why: string) called when nothing was read for a minute
---@param tell fun() called when more waits to be read than before
function M.reader(fd, give_up, tell)
	local deaf -- { size, since, seen, asked }: bytes that wait to be sent, since when it is not less; last look; what waited when it asked last
	local size, unseen, told = 0, 0, 0 -- bytes that wait, those written since that was looked at, those that were told
	local average = 0 -- bytes of an answer
	local gone = false
	local reader = {}

	local function look()
		unseen, size = 0, (output(fd))
		if size >= told + TOLD then
			told = size
			tell()
		elseif size < told then
			told = size
		end
	end

	function reader.warning(kilobytes)
		local now = skynet.now()
		if kilobytes == 0 then
			deaf = nil
		elseif not deaf then
			deaf = { size = kilobytes * 1024, since = now, seen = now, asked = math.huge }
		end
		look()
	end

	--- An answer of so many bytes.
	function reader.wrote(bytes)
		average = average + (bytes - average) / 16
		unseen = unseen + bytes
		if unseen >= UNSEEN then
			look()
		end
	end

	--- The connection has ended. Whether that was in the middle of answers that were not read: then nobody waits for more of them.
	function reader.ended()
		local was_deaf = deaf ~= nil and (size > MOST_UNREAD or skynet.now() - deaf.since > 100)
		gone, deaf = true, nil
		return was_deaf
	end

	--- Whether nothing more should be asked. While much waits, the answers to what is asked already count as if they waited.
	---@param in_work integer requests
	function reader.is_deaf(in_work)
		if gone or not deaf and size <= MOST_UNREAD then
			return not gone and in_work * average > MOST_TO_COME
		end
		look()
		if not deaf then
			return size > MOST_UNREAD
		end
		local now = skynet.now()
		if is_stuck(deaf, size, now) then
			give_up(string.format("it has read nothing of %d bytes in %d s", size, DEAF_TIME // 100))
		end
		return size + in_work * average > MOST_UNREAD or now - deaf.since > 100
	end

	--- Whether it may ask one thing all the same: it has read more than what it asked for last has made. So a node that reads slowly is
	--- told that this one lives.
	function reader.may_ask()
		if not deaf then
			return true
		end
		look()
		if size >= deaf.asked then
			return false
		end
		deaf.asked = size
		return true
	end

	return reader
end

return M
