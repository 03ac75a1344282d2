--- Runs source as if it stood at the present place of a stopped function: it sees the function's
--- locals and upvalues by name, may change them, and `...` are the function's extra arguments.

-- The chunk declares every visible name as a local of an enclosing function; its upvalues are then
-- tied to the real ones. `report` hands back the values of the locals afterwards.
local CHUNK <const> = "local %s\nreturn function(...)\n%s\nend, function() return { %s } end"

-- The names that a source may mean: a function may see more than a chunk may declare. Globals are fields of `_ENV`.
local function names_in(source)
	local set = { _ENV = true }
	for name in string.gmatch(source, "[%a_][%w_]*") do
		set[name] = true
	end
	return set
end

-- What is visible at a level of what the source may mean: names in order of declaration, slots and values of the locals,
-- indices of the upvalues. `varargs` is the value of a local in the slot `vararg`, which has none.
local function visible(thread, level, func, extra, wanted, vararg, varargs)
	local names, slots, values, upvalues = {}, {}, {}, {}
	for name in pairs(extra or {}) do
		if wanted[name] then
			names[#names + 1] = name
		end
	end
	for slot = 1, math.huge do
		local name, value = debug.getlocal(thread, level, slot)
		if not name then
			break
		elseif wanted[name] then -- names of temporary ones have parentheses
			names[#names + 1] = name
			if slot == vararg and value == nil then
				value = varargs
			end
			slots[name], values[name] = slot, value
		end
	end
	for index = 1, math.huge do
		local name = debug.getupvalue(func, index)
		if not name then
			break
		end
		if wanted[name] then
			upvalues[name] = index
			if not slots[name] then
				names[#names + 1] = name
			end
		end
	end
	return names, slots, values, upvalues
end

local function extra_arguments(thread, level)
	local list = { n = 0 }
	while true do
		local name, value = debug.getlocal(thread, level, -list.n - 1)
		if not name then
			return list
		end
		list.n = list.n + 1
		list[list.n] = value
	end
end

local function tie_upvalues(chunk, func, extra, slots, values, upvalues)
	for index = 1, math.huge do
		local name = debug.getupvalue(chunk, index)
		if not name then
			return
		end
		if slots[name] then
			debug.setupvalue(chunk, index, values[name])
		elseif upvalues[name] then
			debug.upvaluejoin(chunk, index, func, upvalues[name])
		elseif extra and extra[name] ~= nil then
			debug.setupvalue(chunk, index, extra[name])
		end
	end
end

---@param source string Lua source
---@param thread thread? the running one by default
---@param level integer? level of the function in that thread: 0 is its innermost one, in the running
--- thread the caller of this function
---@param extra table? further names the source sees
---@return boolean ok, any ... results, or the error
return function(source, thread, level, extra)
	thread = thread or coroutine.running()
	level = level or 0
	-- In the running thread the debug library counts itself, this function and its helpers too.
	local running = thread == coroutine.running()
	local here, from_helper = level + (running and 2 or 0), level + (running and 3 or 0)
	local info = debug.getinfo(thread, here, "fu")
	if not info then
		return false, "Invalid level"
	end
	local func = info.func
	local arguments = extra_arguments(thread, from_helper)
	-- A vararg parameter (`...name`) whose function needs no table for it: that is made for the source.
	local vararg = info.isvararg and info.nparams + 1
	local varargs = table.move(arguments, 1, arguments.n, 1, { n = arguments.n })
	local names, slots, values, upvalues =
		visible(thread, from_helper, func, extra, names_in(tostring(source)), vararg, varargs)
	local reported = {}
	for name, slot in pairs(slots) do
		reported[#reported + 1] = string.format("[%d] = %s,", slot, name)
	end
	if #names == 0 then
		names[1] = "_"
	end
	local loader, problem =
		load(string.format(CHUNK, table.concat(names, ","), source, table.concat(reported)), "=(debug)")
	if not loader then
		return false, problem
	end
	local chunk, report = loader()
	tie_upvalues(chunk, func, extra, slots, values, upvalues)
	-- A local that the source does not name must still be reported as it is.
	tie_upvalues(report, func, nil, slots, values, upvalues)
	local results = table.pack(pcall(chunk, table.unpack(arguments, 1, arguments.n)))
	if results[1] then
		local now = report()
		for name, slot in pairs(slots) do
			-- Only what the source itself has changed: a function that it calls may have changed the real one.
			if not rawequal(now[slot], values[name]) then
				debug.setlocal(thread, here, slot, now[slot])
			end
		end
		for n = 1, arguments.n do
			if not rawequal(varargs[n], arguments[n]) then
				debug.setlocal(thread, here, -n, varargs[n])
			end
		end
	end
	return table.unpack(results, 1, results.n)
end
