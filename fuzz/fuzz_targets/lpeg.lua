-- Builds a pattern as a stack machine: each byte of the first part takes patterns off the stack and puts one on it. The
-- second part, after a byte 255, is the subject.
local lpeg, string = ...

-- Larger patterns and longer subjects only take time: a grammar with n calls may need n ^ length steps. Therefore a call
-- counts like many other patterns.
local MOST_STEPS, LARGEST, LONGEST, CALL = 60, 400, 8, 60

local NAMES = { "x", "y", "z" }

local function values(...)
	return ...
end

local function agree(_, _, ...)
	return true, ...
end

local function skip(subject, position, first)
	return position < #subject and position + 1, first
end

local function refuse()
	return false
end

-- Each has the number of patterns that it takes, and how much larger than these together the result is, at least about.
local OPERATIONS = {
	{
		0,
		1,
		function()
			return lpeg.P "a"
		end,
	},
	{
		0,
		1,
		function()
			return lpeg.P "b"
		end,
	},
	{
		0,
		3,
		function()
			return lpeg.P "ab"
		end,
	},
	{
		0,
		1,
		function()
			return lpeg.P(1)
		end,
	},
	{
		0,
		1,
		function()
			return lpeg.P(3)
		end,
	},
	{
		0,
		2,
		function()
			return lpeg.P(-1)
		end,
	},
	{
		0,
		1,
		function()
			return lpeg.P(true)
		end,
	},
	{
		0,
		1,
		function()
			return lpeg.P(false)
		end,
	},
	{
		0,
		1,
		function()
			return lpeg.S "ab"
		end,
	},
	{
		0,
		1,
		function()
			return lpeg.R "ac"
		end,
	},
	{
		0,
		1,
		function()
			return 1 - lpeg.P "b"
		end,
	},
	{
		0,
		1,
		function()
			return lpeg.utfR(0x41, 0x7FF)
		end,
	},
	{
		0,
		1,
		function()
			return lpeg.utfR(0x4E00, 0x10FFFF)
		end,
	},
	{
		0,
		2,
		function()
			return lpeg.Cp()
		end,
	},
	{
		0,
		2,
		function()
			return lpeg.Cc(1)
		end,
	},
	{
		0,
		8,
		function()
			return lpeg.Cc(nil, "x", 2)
		end,
	},
	{
		0,
		2,
		function()
			return lpeg.Carg(1)
		end,
	},
	{
		0,
		2,
		function()
			return lpeg.Cb "x"
		end,
	},
	{
		0,
		2,
		function()
			return lpeg.P(agree)
		end,
	},
	{
		0,
		CALL,
		function()
			return lpeg.V "x"
		end,
	},
	{
		0,
		CALL,
		function()
			return lpeg.V "y"
		end,
	},
	{
		2,
		1,
		function(a, b)
			return a * b
		end,
	},
	{
		2,
		1,
		function(a, b)
			return a + b
		end,
	},
	{
		2,
		2,
		function(a, b)
			return a - b
		end,
	},
	{
		1,
		1,
		function(a)
			return a ^ 0
		end,
	},
	{
		1,
		2,
		function(a)
			return a ^ 1
		end,
		2,
	},
	{
		1,
		2,
		function(a)
			return a ^ 3
		end,
		4,
	},
	{
		1,
		1,
		function(a)
			return a ^ -1
		end,
	},
	{
		1,
		1,
		function(a)
			return a ^ -3
		end,
		3,
	},
	{
		1,
		1,
		function(a)
			return #a
		end,
	},
	{
		1,
		1,
		function(a)
			return -a
		end,
	},
	{
		1,
		1,
		function(a)
			return lpeg.B(a)
		end,
	},
	{
		1,
		1,
		function(a)
			return lpeg.C(a)
		end,
	},
	{
		1,
		1,
		function(a)
			return lpeg.Ct(a)
		end,
	},
	{
		1,
		1,
		function(a)
			return lpeg.Cs(a)
		end,
	},
	{
		1,
		1,
		function(a)
			return lpeg.Cg(a)
		end,
	},
	{
		1,
		1,
		function(a)
			return lpeg.Cg(a, "x")
		end,
	},
	{
		1,
		1,
		function(a)
			return lpeg.Cf(a, values)
		end,
	},
	{
		1,
		1,
		function(a)
			return lpeg.Cmt(a, agree)
		end,
	},
	{
		1,
		1,
		function(a)
			return lpeg.Cmt(a, skip)
		end,
	},
	{
		1,
		1,
		function(a)
			return lpeg.Cmt(a, refuse)
		end,
	},
	{
		1,
		1,
		function(a)
			return a / values
		end,
	},
	{
		1,
		1,
		function(a)
			return a / "<%0%1%%>"
		end,
	},
	{
		1,
		1,
		function(a)
			return a / { a = "A", ab = 2 }
		end,
	},
	{
		1,
		1,
		function(a)
			return a / 0
		end,
	},
	{
		1,
		1,
		function(a)
			return a / 2
		end,
	},
	{
		1,
		1,
		function(a)
			return a % values
		end,
	},
	{
		1,
		2,
		function(a)
			return lpeg.P { "x", x = a }
		end,
	},
	{
		2,
		3,
		function(a, b)
			return lpeg.P { "x", x = a, y = b }
		end,
	},
	-- Twice the last one, once more the last but one.
	{
		1,
		0,
		function(a)
			return a, a
		end,
		2,
	},
	{
		2,
		0,
		function(a, b)
			return a, b, a
		end,
		2,
	},
}

local function build(program)
	local stack, sizes = {}, {}
	for i = 1, #program do
		local operation = OPERATIONS[string.byte(program, i) % #OPERATIONS + 1]
		local take = operation[1]
		local size = operation[2]
		for k = #stack - take + 1, #stack do
			size = size + (sizes[k] or LARGEST) * (operation[4] or 1)
		end
		if take <= #stack and size <= LARGEST then
			local base = #stack - take
			local first, second, third = operation[3](stack[base + 1], stack[base + 2])
			stack[base + 1], stack[base + 2], stack[base + 3] = first, second, third
			sizes[base + 1] = size
			sizes[base + 2], sizes[base + 3] = second and size, third and size
		end
	end
	return stack[#stack]
end

--- Returns whether the pattern gives the same both times that it is matched.
return function(bytes)
	local program, subject = string.match(bytes, "^([^\255]*)\255?(.*)$")
	local pattern = build(string.sub(program, 1, MOST_STEPS))
	if not pattern then
		return true
	end
	subject = string.sub(subject, 1, LONGEST)
	local first = lpeg.match(pattern, subject, 1, NAMES)
	local second = lpeg.match(pattern, subject, 1, NAMES)
	for i = 2, #subject + 1 do
		lpeg.match(pattern, subject, i, NAMES)
	end
	-- Tables are new each time.
	return first == second or (string.format("%s", first):find "^table" and string.format("%s", second):find "^table")
end
