--- Folded stacks, as profiles are told: lines `frame;frame;frame NUMBER`, from the outermost frame on.

local M = {}

--- Each stack with its number.
---@param stacks string
---@return fun(): string?, integer?
function M.each(stacks)
	local next_line = string.gmatch(stacks, "([^\n]+) (%d+)\n")
	return function()
		local stack, number = next_line()
		return stack, math.tointeger(number)
	end
end

--- Each frame of a stack, the outermost first.
---@param stack string
---@return fun(): string?
function M.frames(stack)
	return string.gmatch(stack, "[^;]+")
end

--- Lines with two numbers as two texts: stacks with the first one, and those with the second one that is not 0.
---@param lines string
---@return string, string
function M.split(lines)
	local first, second = {}, {}
	for stack, one, two in string.gmatch(lines, "([^\n]+) (%d+) (%d+)\n") do
		first[#first + 1] = string.format("%s %s\n", stack, one)
		if two ~= "0" then
			second[#second + 1] = string.format("%s %s\n", stack, two)
		end
	end
	return table.concat(first), table.concat(second)
end

return M
