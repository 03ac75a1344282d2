-- Preloaded into every service of a recording run: notes in the file "functions" which functions there are, and which of them
-- test code has called. Lines: "has TAB module TAB function TAB id", "called TAB id TAB subject of the case".
local getinfo <const>, getupvalue <const> = debug.getinfo, debug.getupvalue

local MODULES <const> = require "modules"
local OWN <const> = "/tests/differential/"

local file = assert(io.open("functions", "a"))
file:setvbuf "line"

local Watch = { subject = "" }
package.loaded["differential.watch"] = Watch

local noted = {}

local function note(...)
	local line = table.concat({ ... }, "\t")
	if not noted[line] then
		noted[line] = true
		file:write(line, "\n")
	end
end

local function path_of(source)
	return string.match(source, "/(lualib/.*)%.lua$") or string.match(source, "/(service/[%w_]*)%.lua$")
end

local labels = {} -- C function -> "module.function"; there are no lines by which to know it

-- What is the same for a function in all services: file and line, or for C its place in a module.
local function id_of(func, info)
	if info.what == "C" then
		return labels[func]
	end
	local path = path_of(info.source)
	return path and path .. ":" .. info.linedefined
end

---------------------------------------------------------------- which functions there are

local walked = {}

-- Metamethods are not called by name.
local function names(place, prefix, list)
	for key, func in next, list do
		if type(key) == "string" and type(func) == "function" and string.sub(key, 1, 2) ~= "__" then
			local label = place .. "." .. prefix .. key
			local info = getinfo(func, "S")
			if info.what == "C" then
				labels[func] = labels[func] or label
			end
			local id = id_of(func, info)
			if id then
				note("has", place, prefix .. key, id)
			end
		end
	end
end

local function kind_of(prefix, name)
	if string.find(prefix, "^service/") then
		return ""
	end
	name = string.gsub(string.gsub(name, "_?meta$", ""), "_?mt$", "")
	return " " .. (name == "" and "object" or string.match(name, "^mongo_(.*)") or name)
end

local function has_functions_of(list, source)
	for _, field in next, type(list) == "table" and list or {} do
		if type(field) == "function" and getinfo(field, "S").source == source then
			return true
		end
	end
end

local function is_module(value)
	for _, name in ipairs(MODULES) do
		if value ~= nil and package.loaded[name] == value then
			return true
		end
	end
end

-- Tables of functions that the functions of a file refer to: methods of its objects, commands of its service.
local function walk_upvalues(prefix, func)
	if walked[func] then
		return
	end
	walked[func] = true
	local source = getinfo(func, "S").source
	for i = 1, 255 do
		local name, value = getupvalue(func, i)
		if not name then
			return
		elseif name == "_ENV" then -- the globals
			name = nil
		elseif type(value) == "function" and getinfo(value, "S").source == source then
			walk_upvalues(prefix, value)
		elseif type(value) == "table" and not walked[value] and not is_module(value) then
			walked[value] = true
			local index = rawget(value, "__index")
			if is_module(index) then
				index = nil
			end
			for _, list in ipairs { value, index ~= value and index or nil } do
				if has_functions_of(list, source) then
					names(prefix .. kind_of(prefix, name), "", list)
					for _, each in next, list do
						if type(each) == "function" then
							walk_upvalues(prefix, each)
						end
					end
				end
			end
		end
	end
end

local modules = {}

local function walk_module(name, module)
	if module == nil or modules[module] then
		return
	end
	modules[module] = true
	if type(module) == "function" then
		note("has", name, "", id_of(module, getinfo(module, "S")) or name)
		return walk_upvalues(name, module)
	elseif type(module) ~= "table" then
		return
	end
	names(name, "", module)
	for key, field in next, module do
		if type(field) == "function" and getinfo(field, "S").what ~= "C" then
			walk_upvalues(name, field)
		elseif type(field) == "table" and type(key) == "string" and string.sub(key, 1, 2) ~= "__" then
			names(name, key .. ".", field)
		end
	end
end

--- Notes the functions of all modules that this service has loaded.
function Watch.list()
	for _, name in ipairs(MODULES) do
		walk_module(name, package.loaded[name])
	end
	for name, meta in pairs(debug.getregistry()) do
		if
			type(name) == "string"
			and name ~= "FILE*"
			and type(meta) == "table"
			and type(rawget(meta, "__index")) == "table"
		then
			names("object " .. name, "", meta.__index)
		end
	end
end

---------------------------------------------------------------- which are called

local seen = {}

local function from_test(level)
	local caller = getinfo(level + 1, "S")
	if caller and caller.what == "C" then -- pcall
		caller = getinfo(level + 2, "S")
	elseif caller and string.find(caller.source, OWN .. "sweep.lua", 1, true) then
		return false
	end
	return caller and string.find(caller.source, OWN, 1, true)
end

local function hook()
	local info = getinfo(2, "Sf")
	local func = info.func
	if info.what == "C" then
		if not labels[func] and from_test(3) then
			Watch.list()
		end
	elseif string.find(info.source, "/service/", 1, true) then
		walk_upvalues(path_of(info.source), func)
	end
	local id = id_of(func, info)
	local key = id and id .. Watch.subject
	if id and not seen[key] and (string.find(id, "^service/") or from_test(3)) then
		seen[key] = true
		note("called", id, Watch.subject)
	end
end

local create <const> = coroutine.create

function coroutine.create(func)
	local co = create(func)
	debug.sethook(co, hook, "c")
	return co
end

debug.sethook(hook, "c")
