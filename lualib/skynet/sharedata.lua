--- Read-only tables that the services of a node share: one copy in memory, whatever their number.
---
---     sharedata.new("items", { sword = { price = 10 } })    -- by any service, once
---     local items = sharedata.query "items"                 -- in every service
---     print(items.sword.price)
---     sharedata.update("items", { ... })                    -- all `items` change, without a call
---
--- A table that has been queried is kept up to date by itself. Sub-tables may be kept too; one that does
--- not exist after an update raises when it is used.

local skynet = require "skynet"
local corelib = require "skynet.sharedata.corelib"

---@class skynet.sharedata
local sharedata = {}

local MANY_REPLACED <const> = 8

local service
local replaced = 0 -- versions since garbage was last collected for their sake
local objects = setmetatable({}, { __mode = "kv" }) -- name -> table that stands for the data

local function confirm(handle)
	skynet.send(service, "lua", "confirm", handle)
end

-- Gives the object each new version, until the data is deleted.
local function follow(name, object, handle)
	while true do
		handle = skynet.call(service, "lua", "monitor", name, handle)
		if handle == nil then
			break
		end
		corelib.update(object, handle)
		confirm(handle)
		-- The collector does not see how large a version is.
		replaced = replaced + 1
		if replaced >= MANY_REPLACED then
			sharedata.flush()
		end
	end
	if objects[name] == object then
		objects[name] = nil
	end
end

--- The data of a name. Yields the first time.
---@param name string
---@return table object read-only; pairs, ipairs, # and indexing work. Raises when there is no such data
function sharedata.query(name)
	local object = objects[name]
	if object then
		return object
	end
	local handle = skynet.call(service, "lua", "query", name)
	object = objects[name]
	if object and object.__obj == handle then -- another task was faster
		confirm(handle)
		return object
	end
	object = corelib.box(handle)
	confirm(handle)
	skynet.fork(follow, name, object, handle)
	objects[name] = object
	return object
end

--- Adds data. Yields.
---@param name string raises when it exists
---@param value table|string|nil the data; Lua source, or "@file" of a file with it, which gets `...` and
--- returns the table, or assigns globals that become the data; nil: empty
---@param ... any for the source
function sharedata.new(name, value, ...)
	skynet.call(service, "lua", "new", name, value, ...)
end

--- Replaces data, or adds it. Yields.
---@param name string
---@param value table|string|nil as for `new`
---@param ... any for the source
function sharedata.update(name, value, ...)
	skynet.call(service, "lua", "update", name, value, ...)
end

--- Ends a name; who has its data keeps it. Yields.
---@param name string
function sharedata.delete(name)
	skynet.call(service, "lua", "delete", name)
end

--- Takes over pending updates now and collects garbage, so that old versions are freed. Does not yield.
function sharedata.flush()
	for _, object in pairs(objects) do
		corelib.flush(object)
	end
	replaced = 0
	collectgarbage()
end

--- A copy of the data, or of a part of it, as plain tables. Yields unless the data was queried before.
---@param name string
---@param ... any keys that lead to the part
---@return any copy nil when there is no such part
function sharedata.deepcopy(name, ...)
	local object = objects[name]
	if object then
		return corelib.copy(object.__obj, ...)
	end
	local handle = skynet.call(service, "lua", "query", name)
	local copy = corelib.copy(handle, ...)
	confirm(handle)
	return copy
end

skynet.init(function()
	service = skynet.uniqueservice "sharedatad"
end)

return sharedata
