--- Replaces tables by others wherever a Lua state refers to them: for `sharetable.update`.

local core = require "skynet.sharetable.core"

local GONE <const> = setmetatable({}, { __name = "gone" }) -- stands for nil
local next, type, rawset, rawget = next, type, rawset, rawget

local M = {}

--- Notes that `old` is to become `new`, and each table inside of it what stands at its place there.
---@param old table @param new table
---@param found table? what has been noted before
---@return table found
function M.pair(old, new, found)
	found = found or {}
	found[old] = new
	for key, value in pairs(old) do
		if type(value) == "table" and found[value] == nil then
			local successor = type(new) == "table" and new ~= GONE and new[key]
			M.pair(value, type(successor) == "table" and successor or GONE, found)
			if successor ~= nil and successor ~= false and type(successor) ~= "table" then
				found[value] = successor -- not a table any more
			end
		end
	end
	return found
end

-- Values to look at, one after the other instead of by recursion: structures may be deep. Returns a function that adds one,
-- and one that looks at all.
local function new_todo(seen, visit)
	local todo, count = {}, 0
	seen[todo] = true

	local function later(value)
		if visit[type(value)] and not seen[value] and not core.is_sharedtable(value) then
			seen[value] = true
			count = count + 1
			todo[count] = value
		end
	end

	local function run(value)
		later(value)
		while count > 0 do
			local top = todo[count]
			todo[count] = nil
			count = count - 1
			visit[type(top)](top)
		end
	end

	return later, run
end

-- What a value becomes: whether it is replaced, and its successor.
local function successor(found, value)
	local new = found[value]
	if new == nil then
		return false
	elseif new == GONE then
		return true, nil
	end
	return true, new
end

-- Returns a function that tells whether a value is to be replaced, and by what; if not, it is looked at later.
local function new_check(found, later)
	return function(value)
		if value == nil then
			return false
		end
		local changed, new = successor(found, value)
		if not changed then
			later(value)
		end
		return changed, new
	end
end

local function new_visit_table(found, check, later, visit_metatable)
	return function(t)
		local old_keys
		for key, value in next, t do
			if found[key] ~= nil then
				old_keys = old_keys or {}
				table.insert(old_keys, key)
			else
				later(key)
			end
			local changed, new = check(value)
			if changed then
				rawset(t, key, new)
			end
		end
		for _, key in ipairs(old_keys or {}) do
			local value = rawget(t, key)
			local _, new_key = successor(found, key)
			rawset(t, key, nil)
			if new_key ~= nil then
				rawset(t, new_key, value)
			end
		end
		visit_metatable(t)
	end
end

-- The numbered values of an object: `get` gives whether there is one, and the value.
local function visit_numbered(object, get, set, check)
	for index = 1, math.huge do
		local exists, value = get(object, index)
		if not exists then
			break
		end
		local changed, new = check(value)
		if changed then
			set(object, index, new)
		end
	end
end

local function get_uservalue(u, index)
	local value, exists = debug.getuservalue(u, index)
	return exists, value
end

local function set_uservalue(u, index, value)
	debug.setuservalue(u, value, index)
end

-- The locals, temporary values and extra arguments of one function that runs in a thread; `level` as seen from here, so no
-- other function stands between this one and debug.getlocal.
local function visit_frame(thread, level, check)
	for _, step in ipairs { 1, -1 } do
		for index = 1, math.huge do
			local slot = index * step
			local name, value = debug.getlocal(thread, level, slot)
			if not name then
				break
			end
			local changed, new = check(value)
			if changed then
				debug.setlocal(thread, level, slot, new)
			end
		end
	end
end

-- Looks at values and at all that they lead to.
local function new_walker(found)
	local seen, visit = {}, {}
	seen[found], seen[seen] = true, true
	local later, run = new_todo(seen, visit)
	local check = new_check(found, later)
	local W = { seen = seen, run = run }

	function W.metatable(value)
		local changed, new = check(debug.getmetatable(value))
		if changed then
			debug.setmetatable(value, new)
		end
	end

	--- From `level` on: levels of the running thread count from the caller of this function.
	function W.thread(thread, level)
		local running = thread == coroutine.running()
		while true do
			local info = debug.getinfo(thread, running and level + 1 or level, "f")
			if not info then
				break
			end
			later(info.func)
			visit_frame(thread, running and level + 2 or level, check)
			level = level + 1
		end
	end

	visit.table = new_visit_table(found, check, later, W.metatable)

	function visit.userdata(u)
		visit_numbered(u, get_uservalue, set_uservalue, check)
		W.metatable(u)
	end

	visit["function"] = function(func)
		visit_numbered(func, debug.getupvalue, debug.setupvalue, check)
	end

	function visit.thread(thread)
		local values = {}
		seen[values] = true
		for i = 1, core.stackvalues(thread, values) do -- has those of a coroutine that has not begun
			later(values[i])
		end
		W.thread(thread, 0)
	end

	return W
end

-- Level of the function `func` that runs in this thread, counted from the caller of this function.
local function level_of(func)
	local level = 1
	while true do
		local info = debug.getinfo(level + 1, "f")
		if not info then
			return level
		elseif info.func == func then
			return level
		end
		level = level + 1
	end
end

--- Replaces all that was noted by `pair`. Does not yield.
---@param found table
---@param entry function running now: functions called by it, and itself, are left alone
---@param ... any left alone too
function M.everywhere(found, entry, ...)
	local walk = new_walker(found)
	for _, value in ipairs { ... } do
		walk.seen[value] = true
	end
	local me = coroutine.running()
	walk.seen[me] = true -- its functions are looked at here
	walk.thread(me, level_of(entry) + 1)
	local light_userdata = debug.upvalueid(M.pair, 1)
	for _, value in ipairs { false, 0, "", print, me, light_userdata } do -- types share a metatable
		walk.metatable(value)
	end
	walk.metatable(nil)
	walk.run(debug.getregistry())
end

return M
