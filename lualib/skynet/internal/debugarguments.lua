--- What arguments the requests of an editor must have. Part of the debug adapter (debugsession.lua).

local M = {}

local MOST <const> = 0x7fffffff -- of lines and counts
-- Bytes. What is matched, compiled or kept costs services of the node time and memory, and some of it more than it is long.
local MOST_PATH <const> = 4096
local MOST_INPUT <const> = 65536 -- of an expression
local MOST_ROOTS <const> = 1000

local function is_integer(value)
	return math.tointeger(value) ~= nil and type(value) ~= "string"
end

local function is_count(value)
	return is_integer(value) and value >= 0 and value <= MOST
end

local function is_string(value)
	return type(value) == "string"
end

-- The kind of strings of so many bytes at most.
local function string_of(most)
	return {
		function(value)
			return is_string(value) and #value <= most
		end,
		string.format("a string of at most %d bytes", most),
	}
end

-- How values are looked at: a test, and what it is called.
local INTEGER <const> = { is_integer, "a whole number" }
local COUNT <const> = { is_count, "a whole number from 0 to " .. MOST }
local STRING <const> = { is_string, "a string" }
local INPUT <const>, PATH <const> = string_of(MOST_INPUT), string_of(MOST_PATH)
local OBJECT <const> = {
	function(value)
		return type(value) == "table"
	end,
	"an object",
}

local function optional(kind)
	return { kind[1], kind[2], optional = true }
end

local THREAD <const> = { threadId = INTEGER }

local REQUIRED <const> = {
	attach = { password = optional(STRING), localRoot = optional(PATH), remoteRoot = optional(PATH) },
	stackTrace = { threadId = INTEGER, startFrame = optional(COUNT), levels = optional(COUNT) },
	scopes = { frameId = INTEGER },
	variables = { variablesReference = INTEGER, start = optional(COUNT), count = optional(COUNT) },
	setVariable = { variablesReference = INTEGER, name = INPUT, value = INPUT },
	evaluate = { expression = INPUT, frameId = optional(INTEGER) },
	setExpression = { expression = INPUT, value = INPUT, frameId = optional(INTEGER) },
	exceptionInfo = THREAD,
	continue = THREAD,
	next = THREAD,
	stepIn = THREAD,
	stepOut = THREAD,
	pause = THREAD,
	source = { source = optional(OBJECT), sourceReference = optional(INTEGER) },
	setBreakpoints = { source = OBJECT, breakpoints = optional(OBJECT) },
	setExceptionBreakpoints = { filters = optional(OBJECT) },
}
REQUIRED.launch = REQUIRED.attach

local SOURCE <const> = { path = optional(PATH), sourceReference = optional(INTEGER) }

local BREAKPOINT <const> = {
	line = COUNT,
	condition = optional(STRING),
	hitCondition = optional(STRING),
	logMessage = optional(STRING),
}

local ROOTS <const> = { localRoot = optional(PATH), remoteRoot = optional(PATH) }

local function problem_of(value, name, kind)
	if value == nil then
		return not kind.optional and string.format("the argument %s is missing", name) or nil
	elseif not kind[1](value) then
		return string.format("the argument %s is not %s", name, kind[2])
	end
end

local function problem_in(object, kinds, prefix)
	local names = {}
	for name in pairs(kinds) do
		names[#names + 1] = name
	end
	table.sort(names)
	for _, name in ipairs(names) do
		local problem = problem_of(object[name], prefix .. name, kinds[name])
		if problem then
			return problem
		end
	end
end

-- As problem_in, for each of a list.
local function problem_in_list(list, check)
	for i, item in ipairs(type(list) == "table" and list or {}) do
		local problem = check(item, i)
		if problem then
			return problem
		end
	end
end

-- Of an attach request.
local function problem_in_roots(list)
	if type(list) == "table" and #list > MOST_ROOTS then
		return string.format("the argument pathMappings has more than %d elements", MOST_ROOTS)
	end
	return problem_in_list(list, function(mapping, i)
		local name = string.format("pathMappings[%d]", i - 1)
		return problem_of(mapping, name, OBJECT) or problem_in(mapping, ROOTS, name .. ".")
	end)
end

--- What is wrong with the arguments of a request, or nil: which one is missing, of another type, or too long.
---@param command string
---@param arguments table
---@return string? problem
function M.problem(command, arguments)
	local problem = problem_in(arguments, REQUIRED[command] or {}, "")
	if problem then
		return problem
	elseif type(arguments.source) == "table" then
		problem = problem_in(arguments.source, SOURCE, "source.")
	end
	return problem
		or problem_in_roots(arguments.pathMappings)
		or problem_in_list(arguments.breakpoints, function(breakpoint, i)
			local name = string.format("breakpoints[%d]", i - 1)
			return problem_of(breakpoint, name, OBJECT) or problem_in(breakpoint, BREAKPOINT, name .. ".")
		end)
		or problem_in_list(arguments.filters, function(filter, i)
			return problem_of(filter, string.format("filters[%d]", i - 1), STRING)
		end)
end

return M
