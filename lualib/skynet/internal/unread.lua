--- What all connections of a listener may leave unread together of what was written to them, and those of one address. When it is
--- too much, those go that hold most for longest without reading; those that read, only when all hold several times as much.
---
---     local unread = unreads.new {
---         most = function() return 512 * 1024 * 1024 end, -- bytes; 0: no limit
---         pace = 65536,                                   -- who takes as many bytes in a second reads
---         close = function(fd, why) end,                  -- a connection has to go; it is forgotten already. Must not yield
---     }
---     unread.note(fd, host)  -- much was written to it, and waits
---     unread.forget(fd)      -- it has ended
---
--- Nothing here yields.

local skynet = require "skynet"
local output = require "skynet.internal.output"
local recurring = require "skynet.internal.recurring"

local STALLED <const> = 100 -- 1/100 s in which a connection has not read
local LOOK <const>, SOONEST <const> = 50, 5 -- 1/100 s between two looks, by itself and when more is noted
local ALL <const> = 4 -- times as much, at which those go too that read

local M = {}

-- Sees what waits in each connection. Returns the sum, and those of the addresses.
local function look(held, now, pace)
	local total, sums = 0, {}
	for fd, account in pairs(held) do
		local waiting, sent = output(fd)
		if sent - account.sent >= pace * (now - account.moved) // 100 and sent > account.sent then
			account.sent, account.moved = sent, now
		end
		account.waiting = waiting
		if waiting == 0 then
			held[fd] = nil
		else
			total = total + waiting
			sums[account.host] = (sums[account.host] or 0) + waiting
		end
	end
	return total, sums
end

-- Those that may go when there is `level` times too much, of all or of one address, the worst first.
local function candidates(held, now, level, host)
	local list = {}
	for fd, account in pairs(held) do
		local silence = now - account.moved
		local has_to = silence * level * level >= STALLED or level >= ALL and not host
		if has_to and (not host or account.host == host) then
			list[#list + 1] = { fd = fd, account = account, weight = account.waiting * (STALLED + silence) }
		end
	end
	table.sort(list, function(a, b)
		return a.weight > b.weight
	end)
	return list
end

--- See above.
---@param limits { most: (fun(): integer), pace: integer, close: fun(fd: integer, why: string) }
---@return { note: fun(fd: integer, host: string), forget: fun(fd: integer) } unread
function M.new(limits)
	local held = {} -- fd -> { host, waiting, sent, moved = when it has read }
	local looked = -math.huge
	local unread = {}

	-- Until an eighth is free. Returns how much there is then.
	local function relieve(now, total, most, host)
		for _, each in ipairs(candidates(held, now, total / most, host)) do
			if total <= most - most // 8 then
				break
			end
			local waiting = each.account.waiting
			held[each.fd] = nil
			limits.close(
				each.fd,
				string.format(
					"%d bytes wait that it does not read, and %d in all connections%s",
					waiting,
					total,
					host and " of its address" or ""
				)
			)
			total = total - waiting
		end
	end

	local function check()
		local now, most = skynet.now(), limits.most()
		looked = now
		local total, sums = look(held, now, limits.pace)
		if most <= 0 then
			return
		end
		for host, sum in pairs(sums) do
			if sum > most // 2 then
				relieve(now, sum, most // 2, host)
			end
		end
		total = 0
		for _, account in pairs(held) do
			total = total + account.waiting
		end
		if total > most then
			relieve(now, total, most)
		end
	end

	local watch = recurring(function()
		check()
		return next(held) and LOOK or nil
	end)

	--- Much waits in a connection; it is watched until nothing does.
	function unread.note(fd, host)
		if not held[fd] then
			local waiting, sent = output(fd)
			held[fd] = { host = host, waiting = waiting, sent = sent, moved = skynet.now() }
			watch(LOOK)
		end
		if skynet.now() - looked >= SOONEST then
			check()
		end
	end

	--- It has ended. Does nothing for one that is not known.
	function unread.forget(fd)
		held[fd] = nil
	end

	return unread
end

return M
