-- Arguments of all kinds, by the words for them; what is chosen at random is the same in each run.
local M = {}

local POOL <const> = {
	{ "nil", nil },
	{ "true", true },
	{ "-1", -1 },
	{ "0", 0 },
	{ "1.5", 1.5 },
	{ "2^53", 2.0 ^ 53 },
	{ "text", "text" },
	{ "empty", "" },
	{ "table", {} },
	{ "function", print },
}

local by_word = {}
for index, entry in ipairs(POOL) do
	by_word[entry[1]] = index
end

--- The number of kinds.
M.KINDS = #POOL

-- Fresh tables, so that no case sees what another one did to its arguments.
function M.value(index)
	local value = POOL[index][2]
	return type(value) == "table" and {} or value
end

function M.word(index)
	return POOL[index][1]
end

--- The arguments that a list of words stands for, with `n`; "nothing" stands for none.
function M.packed(words)
	local values = { n = 0 }
	for _, word in ipairs(words) do
		if word ~= "nothing" then
			values.n = values.n + 1
			values[values.n] = M.value(by_word[word])
		end
	end
	return values
end

local function checksum(text)
	local sum = 0
	for i = 1, #text do
		sum = (sum * 31 + string.byte(text, i)) & 0xffffffff
	end
	return sum
end

M.checksum = checksum

--- A function that gives numbers from 1 to n, the same ones for the same text.
function M.random(text)
	local seed = checksum(text)
	return function(n)
		seed = (seed * 1103515245 + 12345) & 0x7fffffff
		return (seed >> 8) % n + 1
	end
end

return M
