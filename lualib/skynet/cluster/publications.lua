--- What a node has published, for clusterdiscovery: entries of the engine, and the names by which clusterd knows the services.
---
---     local publications = require("skynet.cluster.publications").new(clusterd, "a", boot)
---     local id, stored, problem = publications:add(keeper, "shop", handle, tags, load)

local skynet = require "skynet"
local alive = require "skynet.internal.alive"
local json = require "skynet.internal.json"
local registries = require "skynet.cluster.registry"

local escape = registries.escape

local M = {}

---@class skynet.cluster.publications.Publications
local Publications = {}
Publications.__index = Publications

--- Does not yield.
---@param clusterd integer
---@param node string? the name of this node
---@param boot string which process of this name it is
---@return skynet.cluster.publications.Publications
function M.new(clusterd, node, boot)
	return setmetatable({
		clusterd = clusterd,
		node = node,
		boot = boot,
		last_id = 0,
		-- Id -> { key =, handle =, alias =, record =, is_out = others are not told of it until the node listens again }
		entries = {},
		is_taken = false, -- another process has the name of this node, and its keys
	}, Publications)
end

--- Publishes a service. Yields.
---@param keeper skynet.cluster.keeper.Keeper
---@param name string
---@param handle integer
---@param tags table?
---@param load number?
---@return integer id, boolean stored, string? problem
function Publications:add(keeper, name, handle, tags, load)
	self.last_id = self.last_id + 1
	local id = self.last_id
	-- A name with this process in it: a request never meets another service that has got the same handle after a restart.
	local alias = string.format("~%s.%x", self.boot, id)
	local record = { address = "@" .. alias, boot = self.boot, handle = handle, tags = tags, load = load }
	local key = string.format("names/%s/%s/%x", escape(name), escape(self.node), id)
	self.entries[id] = { key = key, handle = handle, alias = alias, record = record }
	skynet.call(self.clusterd, "lua", "alias", alias, handle)
	return id, keeper:set(key, json.encode(record))
end

--- Other tags, or another load. Yields.
---@param keeper skynet.cluster.keeper.Keeper
---@param id integer
---@param tags table?
---@param load number?
---@return boolean stored, string? problem
function Publications:change(keeper, id, tags, load)
	local entry = self.entries[id] or error("that is not published", 0)
	entry.record.tags, entry.record.load = tags or entry.record.tags, load or entry.record.load
	if self.is_taken then
		return false, string.format("another process has taken the name [%s] of this node", self.node)
	elseif entry.is_out then
		return false, "this node drains or has left; others are told when it listens again"
	end
	return keeper:set(entry.key, json.encode(entry.record))
end

--- Ends one. Yields.
---@param keeper skynet.cluster.keeper.Keeper
---@param id integer
function Publications:withdraw(keeper, id)
	local entry = self.entries[id]
	if entry then
		self.entries[id] = nil
		skynet.send(self.clusterd, "lua", "alias", entry.alias, nil)
		return keeper:remove(entry.key)
	end
end

--- Ends those whose service has ended. Does not yield.
---@param keeper skynet.cluster.keeper.Keeper
function Publications:sweep(keeper)
	for id, entry in pairs(self.entries) do
		if not alive(entry.handle) then
			skynet.fork(self.withdraw, self, keeper, id)
		end
	end
end

--- Nobody chooses them any more; who has chosen one before still reaches it. Yields.
---@param keeper skynet.cluster.keeper.Keeper
---@return integer count
function Publications:take_out(keeper)
	local count = 0
	for _, entry in pairs(self.entries) do
		if not (self.is_taken or entry.is_out) then
			entry.is_out = true
			keeper:set(entry.key, registries.LEFT)
			count = count + 1
		end
	end
	return count
end

--- The node has left, and the engine has none of them any more. Does not yield.
function Publications:left()
	for _, entry in pairs(self.entries) do
		entry.is_out = true
	end
end

--- The node is back, and so are they: they are written with its own entry, before that. Does not yield.
---@param keeper skynet.cluster.keeper.Keeper
function Publications:put_back(keeper)
	for _, entry in pairs(self.entries) do
		if entry.is_out and alive(entry.handle) then
			entry.is_out = nil
			keeper:put(entry.key, json.encode(entry.record))
		end
	end
end

return M
