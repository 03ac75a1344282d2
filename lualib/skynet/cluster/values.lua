--- Values of configuration that all nodes of a cluster see, and that change while they run: texts under keys, kept by the engine
--- of discovery (etcd or Redis). With etcd operators set them by `etcdctl put PREFIX/config/KEY TEXT`.
---
---     local values = require "skynet.cluster.values"
---     values.watch("drop_rate", function(text) rate = tonumber(text) or 1 end)

local subscription = require "skynet.cluster.subscription"

local WHAT <const> = "skynet.cluster.values"

---@class skynet.cluster.values
local M = {}

local known = {} -- key -> subscription

local function topic(key)
	assert(type(key) == "string" and key ~= "", "a value has a key")
	known[key] = known[key] or subscription.new(WHAT, "value", key)
	return known[key]
end

--- The text of a key, as last known. Yields the first time.
---@param key string
---@return string? text nil: there is none
function M.get(key)
	return subscription.value(topic(key))
end

--- Sets the text of a key, for all nodes; it stays when this node ends. Yields. Raises when the engine is away.
---@param key string
---@param text string? nil: ends the key
function M.set(key, text)
	assert(type(key) == "string" and key ~= "", "a value has a key")
	assert(text == nil or type(text) == "string", "the value of a key is a text, or nil")
	subscription.ask(WHAT, "set_value", key, text)
end

--- Has `func` called with the text of a key, now and whenever it changes, in a task of its own. Does not yield.
---@param key string
---@param func fun(text: string?, state: string) state: "fresh", or "stale" while the engine is away
---@return fun() stop
function M.watch(key, func)
	return subscription.watch(topic(key), func)
end

return M
