--- Replaces functions of a running snax service.
---
--- The patch is a script like that of the service. A local variable that it declares without a value
--- (`local counter`) and a function of it uses stands for the variable of that name in the service; a
--- variable with a value stays the patch's own. Its function `hotfix`, if any, runs at the end.

local read_interface = require "snax.interface"

-- The patch's globals: only to be recognised, its functions get the globals of the service.
local patch_globals = {}
for name, value in pairs(_ENV) do
	patch_globals[name] = value
end

-- for name, value, index in upvalues(func)
local function upvalues(func)
	local index = 0
	return function()
		index = index + 1
		local name, value = debug.getupvalue(func, index)
		return name, value, index
	end
end

local function environment_id(func)
	for name, _, index in upvalues(func) do
		if name == "_ENV" then
			return debug.upvalueid(func, index)
		end
	end
end

-- Notes the upvalues of a function, and of the functions among them that belong to the same script.
local function note_upvalues(func, environment, found)
	for name, value, index in upvalues(func) do
		local id = debug.upvalueid(func, index)
		if found[name] then
			assert(found[name].id == id, string.format("ambiguity local value %s", name))
		else
			found[name] = { func = func, index = index, id = id }
			if type(value) == "function" and environment_id(value) == environment then
				note_upvalues(value, environment, found)
			end
		end
	end
end

local function uses_globals()
	return _ENV
end

-- name -> where the variable of the service can be joined
local function service_upvalues(entries)
	local found = {}
	for _, entry in pairs(entries) do
		local func = entry[4]
		if func then
			note_upvalues(func, environment_id(func), found)
		end
	end
	found._ENV = found._ENV or { func = uses_globals, index = 1 }
	return found
end

local function join_upvalues(func, found)
	for name, value, index in upvalues(func) do
		if value == nil or value == patch_globals then
			local variable = found[name]
			if variable then
				debug.upvaluejoin(func, index, variable.func, variable.index)
			end
		elseif type(value) == "function" then
			join_upvalues(value, found)
		end
	end
end

local function find_entry(entries, group, name)
	for _, entry in pairs(entries) do
		if entry[2] == group and entry[3] == name then
			return entry
		end
	end
end

local function apply(entries, source, ...)
	local patch = read_interface("patch", patch_globals, function(_, _, environment)
		return assert(load(source, "=patch", "bt", environment)), "?"
	end)
	local found = service_upvalues(entries)
	for _, entry in ipairs(patch) do
		local _, group, name, func = table.unpack(entry, 1, 4)
		if func then
			local old = find_entry(entries, group, name)
			assert(old, string.format("Patch mismatch %s.%s", group, name))
			join_upvalues(func, found)
			old[4] = func
		end
	end
	local after = find_entry(patch, "system", "hotfix")[4]
	if after then
		return after(...)
	end
end

--- Applies a patch. May yield when the patch's function `hotfix` does.
---@param entries table of snax.interface, changed in place
---@param source string
---@param ... any arguments of `hotfix`
---@return boolean ok, any ... results of `hotfix`, or the error
return function(entries, source, ...)
	return pcall(apply, entries, source, ...)
end
