--- Which of some words a misspelled one was most likely meant to be: for messages.

-- Slips between two words: letters left out, added or replaced, or two neighbours swapped.
local function distance(one, other)
	local above, row = nil, {}
	for j = 0, #other do
		row[j] = j
	end
	for i = 1, #one do
		local next_row = { [0] = i }
		local letter = string.byte(one, i)
		for j = 1, #other do
			local wrong = letter == string.byte(other, j) and 0 or 1
			local least = math.min(row[j] + 1, next_row[j - 1] + 1, row[j - 1] + wrong)
			if
				above
				and j > 1
				and letter == string.byte(other, j - 1)
				and string.byte(one, i - 1) == string.byte(other, j)
			then
				least = math.min(least, above[j - 2] + 1)
			end
			next_row[j] = least
		end
		above, row = row, next_row
	end
	return row[#other]
end

local LONGEST <const> = 64 -- of a word that is compared

--- Does not yield.
---@param word any
---@param words string[]
---@return string? nearest nil: none is near
return function(word, words)
	if type(word) ~= "string" or #word > LONGEST then
		return nil
	end
	-- Two slips only in a long word; in a short one nearly everything is near.
	local least, found = #word >= 6 and 2 or 1, nil
	for _, other in ipairs(words) do
		local slips = distance(word, other)
		if slips < least or slips == least and not found then
			least, found = slips, other
		end
	end
	return found
end
