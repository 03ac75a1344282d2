-- A hash ring: which of several owners a key belongs to. Each owner has many points on the ring, and a key belongs to the next
-- point. When an owner comes or goes, only keys move that it gets or had: about one of as many as there are owners.
--
-- Hashing and sorting the points of a thousand owners takes half a second: so a ring is made from the former one, of which it shares
-- what stays. Which ring comes out does not depend on that.

local crypt = require "skynet.crypt"

local POINTS <const> = 160 -- of each owner: the shares differ by about a tenth

local M = {}

---@class skynet.cluster.ring.Ring
---@field points integer[] in their order; of rings that follow each other it may be the same table
---@field owner_of table<integer, string> owners of points, also of those that were on former rings; points only come to it
---@field numbers table<string, integer> the owners, and where they are in the list
---@field known integer points in owner_of
---@field has_ties boolean two owners want the same point: then a ring is made anew

local function hash(text)
	return (string.unpack("<i8", crypt.sha1(text)))
end

local function numbers_of(owners)
	local numbers = {}
	for number, owner in ipairs(owners) do
		numbers[owner] = number
	end
	return numbers
end

local function point_of(owner, number)
	return hash(string.format("%s\0%d", owner, number))
end

-- Of two owners at the same point the one that has the smaller name has it, whatever the order.
local function made_anew(owners)
	local owner_of, points = {}, {}
	local ring = { points = points, owner_of = owner_of, numbers = numbers_of(owners), known = 0, has_ties = false }
	for _, owner in ipairs(owners) do
		for i = 1, POINTS do
			local point = point_of(owner, i)
			local other = owner_of[point]
			if not other then
				points[#points + 1] = point
			elseif other ~= owner then
				ring.has_ties = true
			end
			if not other or owner < other then
				owner_of[point] = owner
			end
		end
	end
	ring.known = #points
	table.sort(points)
	return ring
end

-- The points whose owners stay.
local function remaining(former, numbers)
	local owner_of, points, count = former.owner_of, {}, 0
	for _, point in ipairs(former.points) do
		if numbers[owner_of[point]] then
			count = count + 1
			points[count] = point
		end
	end
	return points
end

local function merged(one, other)
	local points, i, j = {}, 1, 1
	local a, b = one[1], other[1]
	for count = 1, #one + #other do
		if b == nil or a and a < b then
			points[count], i = a, i + 1
			a = one[i]
		else
			points[count], j = b, j + 1
			b = other[j]
		end
	end
	return points
end

-- Owners that one ring has and the other has not.
local function missing(numbers, others)
	local list = {}
	for owner in pairs(numbers) do
		if not others[owner] then
			list[#list + 1] = owner
		end
	end
	return list
end

local function made_from(former, owners)
	local numbers = numbers_of(owners)
	local come, gone = missing(numbers, former.numbers), missing(former.numbers, numbers)
	if former.has_ties or #come > #owners // 2 or former.known > 2 * POINTS * #owners then
		return made_anew(owners)
	end
	local owner_of, known, new = former.owner_of, former.known, {}
	for _, owner in ipairs(come) do
		for i = 1, POINTS do
			local point = point_of(owner, i)
			local other = owner_of[point]
			if not other then
				owner_of[point], known = owner, known + 1
			elseif other ~= owner then
				return made_anew(owners) -- a tie; the former ring, which others may have, keeps its point
			end
			new[#new + 1] = point
		end
	end
	local points = #gone > 0 and remaining(former, numbers) or former.points
	if #new > 0 then
		table.sort(new)
		points = merged(points, new)
	end
	return { points = points, owner_of = owner_of, numbers = numbers, known = known, has_ties = false }
end

--- Makes a ring. The same owners give the same ring everywhere. Does not yield.
---@param owners string[] names that differ
---@param former skynet.cluster.ring.Ring? of owners most of whom are the same: then it is made faster
---@return skynet.cluster.ring.Ring ring
function M.new(owners, former)
	return former and made_from(former, owners) or made_anew(owners)
end

--- The owner of a key: its number in the list that the ring was made of; nil when there is none. Does not yield.
---@param ring skynet.cluster.ring.Ring
---@param key string
---@return integer?
function M.owner(ring, key)
	local points = ring.points
	local place, first, last = hash(key), 1, #points
	if last == 0 then
		return nil
	end
	while first <= last do
		local middle = (first + last) // 2
		if points[middle] < place then
			first = middle + 1
		else
			last = middle - 1
		end
	end
	return ring.numbers[ring.owner_of[points[first] or points[1]]]
end

return M
