--- The tables that stand for shared data in a service, on top of skynet.sharedata.core.
---
--- Fields of such a table: __obj, the present table of the C side; __gcobj, what keeps its whole version
--- alive; __parent and __key, its place (parent false: the root); __cache, its sub-tables by key.

local core = require "skynet.sharedata.core"

local index, is_dirty, next_key = core.index, core.isdirty, core.nextkey
local type, rawset = type, rawset

local corelib = {}

--- The functions of the service that owns the data.
corelib.host = {}
for _, name in ipairs { "new", "delete", "incref", "decref", "getref", "markdirty" } do
	corelib.host[name] = core[name]
end

local meta = {}

-- Points a table and its known sub-tables to their places in a new version. A sub-table that is gone
-- keeps what it has, and is known no more.
local function move_to(view, object, keeper)
	view.__obj, view.__gcobj = object, keeper
	local children = view.__cache
	for key, child in pairs(children or {}) do
		local sub = index(object, key)
		if type(sub) == "userdata" then
			move_to(child, sub, keeper)
		else
			children[key] = nil
		end
	end
end

local function full_key(view)
	local keys = {}
	while view do
		table.insert(keys, 1, tostring(view.__key))
		view = view.__parent
	end
	return table.concat(keys, ".")
end

local function root_of(view)
	while view.__parent do
		view = view.__parent
	end
	return view
end

-- The C side's table of a view, of the newest version.
local function object_of(view)
	local object = view.__obj
	if not is_dirty(object) then
		return object
	end
	local newer, box = core.needupdate(view.__gcobj)
	if newer then
		move_to(root_of(view), newer, box.__gcobj)
		if view.__obj == object then
			error("The key [" .. full_key(view) .. "] doesn't exist after update", 3)
		end
	end
	return view.__obj
end

function meta:__index(key)
	local value = index(object_of(self), key)
	if type(value) ~= "userdata" then
		return value
	end
	local children = self.__cache
	if not children then
		children = {}
		rawset(self, "__cache", children)
	end
	local child = children[key]
	if not child then
		child = setmetatable({
			__obj = value,
			__gcobj = self.__gcobj,
			__parent = self,
			__key = key,
		}, meta)
		children[key] = child
	end
	return child
end

function meta:__newindex(key)
	error("Error newindex, the key [" .. full_key(self) .. "." .. tostring(key) .. "]", 2)
end

function meta:__len()
	return core.len(object_of(self))
end

--- `next` for shared tables.
function corelib.next(view, key)
	local following = next_key(object_of(view), key)
	if following ~= nil then
		return following, view[following]
	end
end

function meta:__pairs()
	return corelib.next, self, nil
end

--- The table that stands for a version of data.
---@param object lightuserdata of the service
---@return table
function corelib.box(object)
	return setmetatable({
		__obj = object,
		__gcobj = core.box(object),
		__parent = false,
		__key = "",
	}, meta)
end

--- Tells a root that there is a new version; its tables move there when they are next used.
---@param view table of `box`
---@param object lightuserdata
function corelib.update(view, object)
	assert(is_dirty(view.__obj), "Only dirty object can be update")
	core.update(view.__gcobj, object, { __gcobj = core.box(object) })
end

--- Moves a root to its newest version now.
function corelib.flush(view)
	object_of(view)
end

-- skynet's module has no copy of its own.
local function clone(object)
	local copy = {}
	local key = next_key(object, nil)
	while key ~= nil do
		local value = index(object, key)
		copy[key] = type(value) == "userdata" and clone(value) or value
		key = next_key(object, key)
	end
	return copy
end

clone = core.copy or clone

--- A copy in plain tables.
---@param object lightuserdata
---@param ... any keys that lead to the part wanted
---@return any copy no value when the keys lead nowhere
function corelib.copy(object, ...)
	for i = 1, select("#", ...) do
		local key = select(i, ...)
		if key == nil or (i > 1 and type(object) ~= "userdata") then
			break
		end
		object = index(object, key)
	end
	if type(object) == "userdata" then
		return clone(object)
	elseif object ~= nil then
		return object
	end
end

return corelib
