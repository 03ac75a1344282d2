--- Tables of Lua source that the services of a node share: real Lua tables, read-only, one copy in
--- memory.
---
---     sharetable.loadfile("items.lua")           -- by anyone; again when the file has changed
---     local items = sharetable.query "items.lua" -- in every service
---     sharetable.update "items.lua"              -- here: takes the newest version, wherever `items` is kept

local skynet = require "skynet"
local service = require "skynet.service"
local core = require "skynet.sharetable.core"

local queried = {} -- name -> set of the versions that this service has got and not replaced

local function own_tables()
	local owner = require "skynet.sharetable.owner"
	owner()
end

local function start_owner(self, key)
	if key == "address" then
		self.address = service.new("sharetable", own_tables)
		return self.address
	end
end

-- This service ends: its tables may be freed.
local function release_all(self)
	local address = rawget(self, "address")
	if address then
		skynet.send(address, "lua", "close")
	end
end

--- Field `address`: the service that owns the tables, started by the first use (which yields).
local sharetable = setmetatable({}, { __index = start_owner, __gc = release_all })

--- Loads a table from a Lua file. Yields.
---@param filename string also the name of the table
---@param ... boolean|number|lightuserdata for the chunk
function sharetable.loadfile(filename, ...)
	skynet.call(sharetable.address, "lua", "loadfile", filename, ...)
end

--- Loads a table from Lua source. Yields.
---@param name string
---@param source string
---@param ... boolean|number|lightuserdata for the chunk
function sharetable.loadstring(name, source, ...)
	skynet.call(sharetable.address, "lua", "loadstring", name, source, ...)
end

--- Shares a copy of a table. Yields.
---@param name string
---@param value table of values that a message can hold
function sharetable.loadtable(name, value)
	assert(type(value) == "table", "the value must be a table")
	skynet.call(sharetable.address, "lua", "loadtable", name, skynet.pack(value))
end

local function adopt(name, pointer)
	local shared = core.clone(pointer)
	queried[name] = queried[name] or {}
	queried[name][shared] = true
	return shared
end

--- The present version of a table. Yields.
---@param name string
---@return table? shared read-only; nil when nobody has loaded it
function sharetable.query(name)
	local pointer = skynet.call(sharetable.address, "lua", "query", name)
	if pointer then
		return adopt(name, pointer)
	end
end

--- The present versions of several tables. Yields.
---@param names string[]? all by default
---@return table<string, table> shared by name
function sharetable.queryall(names)
	local list = {}
	for name, pointer in pairs(skynet.call(sharetable.address, "lua", "queryall", names)) do
		list[name] = adopt(name, pointer)
	end
	return list
end

--- Replaces older versions of tables by the present ones, wherever this service keeps them or their
--- sub-tables: in tables, variables, upvalues, metatables and coroutines. A sub-table that is gone
--- becomes nil. Takes time in proportion to all that the service holds. Yields.
---@param ... string names
function sharetable.update(...)
	local replace = require "skynet.sharetable.replace"
	local found
	for _, name in ipairs { ... } do
		local versions = queried[name]
		local newest = versions and sharetable.query(name)
		for version in pairs(versions or {}) do
			if newest and version ~= newest then
				versions[version] = nil
				found = replace.pair(version, newest, found)
			end
		end
	end
	if found then
		replace.everywhere(found, sharetable.update, queried)
	end
end

return sharetable
