--- Runs source that the debug console sends, inside of a service that is already running.
---
--- The source sees the globals of the service and:
---   print  collects its arguments for the answer;
---   _U     tables that are upvalues of skynet's dispatcher, by name;
---   _P     for each protocol with a handler, the tables that are upvalues of the handler, by name,
---          so `_P.lua.CMD` is the table CMD of a service that has dispatch("lua", ...) over it.

-- Adds to `found` the tables among the upvalues of a function, and of the functions among these.
local function collect_tables(func, found, visited)
	if visited[func] then
		return
	end
	visited[func] = true
	for index = 1, math.huge do
		local name, value = debug.getupvalue(func, index)
		if name == nil then
			return
		elseif type(value) == "table" then
			found[name] = value
		elseif type(value) == "function" then
			collect_tables(value, found, visited)
		end
	end
end

local function handler_tables(protocols, visited)
	local by_name = {}
	for _, class in pairs(protocols) do
		if class.dispatch and not by_name[class.name] then
			by_name[class.name] = {}
			collect_tables(class.dispatch, by_name[class.name], visited)
		end
	end
	return by_name
end

---@param skynet table the API
---@param source string Lua source
---@param filename string? for messages
---@param arguments table packed, given to the source as `...`
---@param dispatch function the dispatcher of the service
---@return boolean ok, string[] output lines printed; with false, the error is the last one. Yields
--- when the source does
return function(skynet, source, filename, arguments, dispatch)
	local output = {}
	local function collect_line(...)
		local fields = table.pack(...)
		for i = 1, fields.n do
			fields[i] = tostring(fields[i])
		end
		output[#output + 1] = table.concat(fields, "\t")
	end

	local visited, dispatcher_tables = {}, {}
	collect_tables(dispatch, dispatcher_tables, visited)
	local env = setmetatable({
		print = collect_line,
		_U = dispatcher_tables,
		_P = handler_tables(skynet._proto, visited),
	}, { __index = _ENV })

	local chunk, problem = load(source, filename and "@" .. filename or "=(load)", "bt", env)
	if not chunk then
		return false, { problem }
	end
	local ok, failure = pcall(chunk, table.unpack(arguments, 1, arguments.n))
	if not ok then
		output[#output + 1] = tostring(failure)
	end
	return ok, output
end
