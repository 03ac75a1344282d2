--- Slows down whoever guesses passwords, over however many connections: of one address, one guess a second is looked at.
---
---     if not guesses.wait(host) then ...refuse it, unseen... end
---     if guesses.same(given, password) then ...let it in... else guesses.wrong(host) end
---
--- Nothing may yield between the two.

local skynet = require "skynet"

local PAUSE <const> = 100    -- 1/100 s after a wrong one
local MOST_QUEUED <const> = 5 -- guesses of one address that wait for their turn
local FEW <const> = 256      -- addresses that are remembered before old ones are looked for

local M = {}

local next_turn = {} -- address -> when the next guess is looked at
local queued = {}    -- address -> guesses that wait
local count = 0

local function forget_old()
	local now = skynet.now()
	for host, turn in pairs(next_turn) do
		if turn <= now and not queued[host] then
			next_turn[host] = nil
			count = count - 1
		end
	end
end

--- Waits until a guess of that address may be looked at. Yields. False when too many wait already.
---@param host string
---@return boolean
function M.wait(host)
	local waiting = queued[host] or 0
	if waiting >= MOST_QUEUED then
		return false
	end
	queued[host] = waiting + 1
	-- Others of the same address may have had their turn meanwhile.
	while (next_turn[host] or 0) > skynet.now() do
		skynet.sleep(next_turn[host] - skynet.now())
	end
	waiting = queued[host] - 1
	queued[host] = waiting > 0 and waiting or nil
	return true
end

--- A guess was wrong. Does not yield.
function M.wrong(host)
	if not next_turn[host] then
		count = count + 1
		if count > FEW then
			forget_old()
		end
	end
	next_turn[host] = skynet.now() + PAUSE
end

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

return M
