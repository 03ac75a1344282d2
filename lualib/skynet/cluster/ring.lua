-- A hash ring: which of several owners a key belongs to. Each owner has many points on the ring, and a key belongs to the next
-- point. When an owner comes or goes, only keys move that it gets or had: about one of as many as there are owners.

local crypt = require "skynet.crypt"

local POINTS <const> = 160 -- of each owner: the shares differ by about a tenth

local M = {}

local function hash(text)
	return (string.unpack("<i8", crypt.sha1(text)))
end

--- Makes a ring. The same owners give the same ring everywhere. Does not yield.
---@param owners string[] names that differ
---@return { points: integer[], owner_of: table<integer, integer> } ring
function M.new(owners)
	local points, owner_of = {}, {}
	for number, owner in ipairs(owners) do
		for i = 1, POINTS do
			local point = hash(string.format("%s\0%d", owner, i))
			-- Of two at the same place the one that has the smaller name has it, whatever the order.
			local other = owner_of[point]
			if not other then
				points[#points + 1] = point
			end
			if not other or owner < owners[other] then
				owner_of[point] = number
			end
		end
	end
	table.sort(points)
	return { points = points, owner_of = owner_of }
end

--- The owner of a key: its number in the list that the ring was made of; nil when there is none. Does not yield.
---@param ring table
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
	return ring.owner_of[points[first] or points[1]]
end

return M
