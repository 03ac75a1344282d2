--- Reads the script of a snax service: which functions it defines, under which numbers.
---
--- Numbers 1 to 4 are the functions init, exit, hotfix and profile, then those of `accept` and
--- `response` follow in the order of their definition: services and callers must read the same script.

local skynet = require "skynet"

local SYSTEM <const> = { "init", "exit", "hotfix", "profile" }

-- Finds the script on a path of patterns. Returns its main chunk and the pattern it was found by.
local function load_file(path, name, environment)
	local problems = {}
	name = tostring(name)
	for pattern in string.gmatch(path, "[^;]+") do
		local chunk, problem = loadfile((string.gsub(pattern, "%?", { ["?"] = name })), "bt", environment)
		if chunk then
			return chunk, pattern
		end
		problems[#problems + 1] = problem
	end
	error(table.concat(problems, "\n"))
end

-- The table `accept` or `response` that a script sees: notes what is assigned to it.
local function group_table(entries, group)
	local defined = {}
	return setmetatable({}, {
		__newindex = function(_, name, func)
			if type(name) ~= "string" then
				error(string.format("%s method only support string", group), 2)
			elseif type(func) ~= "function" then
				error(string.format("%s.%s must be function", group, name), 2)
			elseif defined[name] then
				error(string.format("%s.%s duplicate definition", group, name), 2)
			end
			defined[name] = true
			entries[#entries + 1] = { #entries + 1, group, name, func }
		end,
	})
end

local function check_environment(environment)
	assert(getmetatable(environment) == nil, "the environment must have no metatable")
	for _, name in ipairs { "init", "exit", "accept", "response" } do
		assert(environment[name] == nil, "the environment must not have these names")
	end
end

--- Runs the main chunk of a script.
---@param name string
---@param environment table the globals of the script; gets those that the script assigns
---@param loader? fun(path: string, name: string, environment: table): function, string
---@return { [1]: integer, [2]: string, [3]: string, [4]: function? }[] entries number, group ("system",
--- "accept", "response"), name, function
---@return string pattern of the path that it was found by. Raises when the script cannot run
return function(name, environment, loader)
	check_environment(environment)
	local entries, system_entry = {}, {}
	for id, system_name in ipairs(SYSTEM) do
		entries[id] = { id, "system", system_name }
		system_entry[system_name] = entries[id]
	end
	local visible = {
		accept = group_table(entries, "accept"),
		response = group_table(entries, "response"),
	}
	local assigned = {} -- other globals
	setmetatable(visible, { __index = assigned })

	local path = assert(skynet.getenv "snax", "please set snax in config file")
	local chunk, pattern = (loader or load_file)(path, name, environment)
	assert(chunk, pattern)

	setmetatable(environment, {
		__index = visible,
		__newindex = function(_, key, value)
			local entry = system_entry[key]
			if not entry then
				assigned[key] = value
			elseif type(value) ~= "function" then
				error(string.format("%s must be a function", key), 2)
			else
				entry[4] = value
			end
		end,
	})
	local ok, problem = xpcall(chunk, debug.traceback)
	setmetatable(environment, nil)
	assert(ok, problem)
	for key, value in pairs(assigned) do
		environment[key] = value
	end
	return entries, pattern
end
