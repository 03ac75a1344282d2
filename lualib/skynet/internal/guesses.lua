--- Slows down a peer that guesses passwords, over however many connections: of one address, so many guesses in a second are
--- looked at, and some more at first. Those beyond wait for their turn, first come, first served, so that an operator who knows
--- the password gets in beside an attacker who guesses: a right one takes no turn.
---
---     local guesses = require "skynet.internal.guesses".new(5) -- wrong ones in a second; 0: no limit
---     if not guesses.wait(host) then ...refuse it, unseen... end
---     if guesses.same(given, password) then guesses.right(host) end
---
--- That is all that can be had: who guesses looks like who knows, so whatever part of their passwords is looked at for the one
--- is looked at for the other. The limit decides which is more important.

--- Addresses of IPv6 are those of a network: their last 64 bits are chosen by whoever has one.

local skynet = require "skynet"

local BURST <const> = 10 -- guesses that are looked at without waiting
local MOST_QUEUED <const> = 50 -- guesses of one address that wait for their turn
local FEW <const> = 256 -- addresses that are remembered before old ones are looked for

local M = {}

--- Whether two texts are the same. Takes a time that tells nothing of where they differ.
---@param given string
---@param expected string
---@return boolean
function M.same(given, expected)
	local difference = #given ~ #expected
	for place = 1, #given do
		difference = difference | (string.byte(given, place) ~ (string.byte(expected, place) or 0))
	end
	return difference == 0
end

local function groups_of(text)
	local groups = {}
	for group in string.gmatch(text, "[^:]+") do
		if string.find(group, ".", 1, true) then
			groups[#groups + 1] = 0 -- an address of IPv4 stands for two
		end
		groups[#groups + 1] = tonumber(group, 16) or 0
	end
	return groups
end

--- What is counted as one address: one of IPv4, a network of 64 bits of IPv6.
---@param host string
---@return string
function M.network_of(host)
	local text = string.match(host, "^%[?([%x.:]*:[%x.:]*)")
	if not text then
		return host
	end
	local mapped = string.match(text, "^::[fF][fF][fF][fF]:(%d+%.%d+%.%d+%.%d+)$")
	if mapped then
		return mapped
	end
	local left, right = string.match(text, "^(.-)::(.*)$")
	local groups = groups_of(left or text)
	if right then
		local others = groups_of(right)
		for _ = #groups + #others + 1, 8 do
			groups[#groups + 1] = 0
		end
		table.move(others, 1, #others, #groups + 1, groups)
	end
	return string.format("%x:%x:%x:%x", groups[1] or 0, groups[2] or 0, groups[3] or 0, groups[4] or 0)
end

---@param rate number wrong guesses of one address in a second
function M.new(rate)
	local guesses = { same = M.same }
	local pause = rate > 0 and 100 / rate or 0 -- 1/100 s that a guess takes
	local turns = {} -- address -> when all guesses are through that were made so far, in 1/100 s
	local count = 0

	local function forget_old(now)
		for host, turn in pairs(turns) do
			if turn <= now then
				turns[host] = nil
				count = count - 1
			end
		end
	end

	--- Waits until a guess of that address may be looked at. Yields. False when too many wait already.
	---@param host string
	---@return boolean
	function guesses.wait(host)
		host = M.network_of(host)
		local now, turn = skynet.now(), turns[host]
		if not turn then
			count = count + 1
			if count > FEW then
				forget_old(now)
			end
		end
		turn = math.max(turn or 0, now)
		local delay = turn - now - BURST * pause
		if delay > MOST_QUEUED * pause then
			return false
		end
		turns[host] = turn + pause
		if delay > 0 then
			skynet.sleep(math.ceil(delay))
		end
		return true
	end

	--- A guess was right: its turn is given back. Does not yield.
	---@param host string
	function guesses.right(host)
		host = M.network_of(host)
		if turns[host] then
			turns[host] = turns[host] - pause
		end
	end

	return guesses
end

return M
