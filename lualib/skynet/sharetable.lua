--- Tables of Lua source that the services of a node share: real Lua tables, read-only, one copy in
--- memory.
---
---     sharetable.loadfile("items.lua")           -- by any service; again when the file has changed
---     local items = sharetable.query "items.lua" -- in every service
---     sharetable.update "items.lua"              -- here: takes the newest version, wherever `items` is kept

local skynet = require "skynet"
local service = require "skynet.service"
local core = require "skynet.sharetable.core"

-- Versions are known by the pointers to their tables; `core.used` asks by their states.
local newest = {} -- name -> the version that this service got last
local kept = {} -- name -> { version -> state }: which it has got and not replaced
local replaced = {} -- version -> state: which the owner still counts it as a user of
local old_count = 0 -- of versions that it has got and are not the newest

local OLD_VERSIONS <const> = 8 -- so many do not wait for `update`
local look_at = OLD_VERSIONS

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
---@class skynet.sharetable
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

-- Adds old versions to two lists of the same order: pointers and states.
local function add_old(pointers, states, versions, except)
	for pointer, state in pairs(versions) do
		if pointer ~= except and state then
			pointers[#pointers + 1] = pointer
			states[#states + 1] = state
		end
	end
end

-- Lets go of old versions of which nothing is left in this service. What the owner has given in answers that are under way
-- is newer than anything that is old here: answers come in order.
local function release_unused()
	local pointers, states = {}, {}
	add_old(pointers, states, replaced)
	for name, versions in pairs(kept) do
		add_old(pointers, states, versions, newest[name])
	end
	local used = core.used and states[1] and core.used(states)
	if not used then
		return
	end
	local unused = {}
	for i, pointer in ipairs(pointers) do
		if not used[i] then
			unused[#unused + 1] = pointer
			replaced[pointer] = nil
			for _, versions in pairs(kept) do
				versions[pointer] = nil
			end
		end
	end
	old_count = #pointers - #unused
	look_at = math.max(OLD_VERSIONS, old_count * 2)
	if unused[1] then
		skynet.send(sharetable.address, "lua", "release", unused)
	end
end

local function adopt(name, pointer, state)
	local versions = kept[name]
	if not versions then
		versions = {}
		kept[name] = versions
	end
	if newest[name] ~= pointer then
		old_count = old_count + (newest[name] and 1 or 0)
		newest[name] = pointer
		versions[pointer] = state or false
		if old_count >= look_at then
			release_unused()
		end
	end
	return core.clone(pointer)
end

--- The present version of a table. Yields.
---@param name string
---@return table? shared read-only; nil when it is not loaded
function sharetable.query(name)
	local pointer, state = skynet.call(sharetable.address, "lua", "query", name)
	if pointer then
		return adopt(name, pointer, state)
	end
end

--- The present versions of several tables. Yields.
---@param names string[]? all by default
---@return table<string, table> shared by name
function sharetable.queryall(names)
	local list = {}
	local pointers, states = skynet.call(sharetable.address, "lua", "queryall", names)
	for name, pointer in pairs(pointers) do
		list[name] = adopt(name, pointer, states[name])
	end
	return list
end

-- Notes what is to become what in `found`, which may be nil; the versions count as replaced.
local function replace_versions(name, found)
	local replace = require "skynet.sharetable.replace"
	local versions, now = kept[name], newest[name]
	for pointer, state in pairs(versions) do
		if pointer ~= now then
			versions[pointer] = nil
			replaced[pointer] = state
			found = replace.pair(core.clone(pointer), core.clone(now), found)
		end
	end
	return found
end

--- Replaces older versions of tables by the present ones, wherever this service keeps them or their
--- sub-tables: in tables, variables, upvalues, metatables and coroutines. A sub-table that is gone
--- becomes nil. Old versions of which nothing is left here are let go; the last service that does so
--- frees them. Takes time in proportion to all that the service holds, and collects garbage. Yields.
---@param ... string names
function sharetable.update(...)
	for _, name in ipairs { ... } do
		if kept[name] then
			sharetable.query(name)
		end
	end
	local found
	for _, name in ipairs { ... } do
		if kept[name] then
			found = replace_versions(name, found)
		end
	end
	if found then
		require("skynet.sharetable.replace").everywhere(found, sharetable.update)
		found = nil -- it refers to all of the old versions
		release_unused()
	end
end

return sharetable
