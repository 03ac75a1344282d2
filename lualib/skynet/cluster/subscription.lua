-- What this service knows of a topic of clusterdiscovery: asked for when it is first needed, and followed while it is used.

local skynet = require "skynet"
local backoff = require "skynet.internal.backoff"
local respawn = require "skynet.internal.respawn"
local shared = require "skynet.internal.shared"

local IDLE <const> = 6000 -- 1/100 s without use after which a topic is followed no longer
local FIRST_PAUSE <const>, LONGEST_PAUSE <const> = 10, 500
-- Each news brings the whole list, so a list that is long and changes all the time is told less often: after each news there is no
-- other for 1/100 s for so many of its entries, and not longer than LONGEST_REST.
local ENTRIES <const>, LONGEST_REST <const> = 40, 50

local M = {}
local discovery -- handle of clusterdiscovery

local function service(what)
	if not discovery then
		local clusterd = skynet.uniqueservice "clusterd"
		discovery = skynet.call(clusterd, "lua", "discovery")
	end
	if not discovery then
		error(
			what
				.. ': there is no discovery; set for instance cluster_discovery = "etcd://127.0.0.1:2379/game" in the config',
			0
		)
	end
	return discovery
end

local function check(ok, ...)
	if not ok then
		error((...), 0)
	end
	return ...
end

--- Asks clusterdiscovery. Yields. Raises why it refuses, and where discovery is off.
---@param what string for that error
---@param ... any the request
---@return any ...
function M.ask(what, ...)
	return check(skynet.call(service(what), "lua", ...))
end

local function take(self, version, value, state, ...)
	self.version, self.value, self.state = version, self.convert(value, self.value, ...), state
end

local function ask(self, version)
	take(self, M.ask(self.what, "watch", self.kind, self.topic, version))
end

local function rest(value)
	local count = 0
	if type(value) == "table" then
		for _ in pairs(value) do
			count = count + 1
		end
	end
	if count >= ENTRIES then
		skynet.sleep(math.min(count // ENTRIES, LONGEST_REST))
	end
end

local function run(self)
	local pause = backoff(FIRST_PAUSE, LONGEST_PAUSE)
	while next(self.watchers) or skynet.now() - self.used < IDLE do
		local former = self.version
		local ok, problem = pcall(ask, self, former)
		if not ok then
			skynet.error(string.format("%s: clusterdiscovery does not answer: %s", self.what, problem))
			skynet.sleep(pause())
		elseif self.version ~= former then
			pause(true)
			for watcher in pairs(self.watchers) do
				skynet.fork(watcher)
			end
			rest(self.value)
		end
	end
	self.version, self.value = nil, nil
end

--- Makes one; nothing is asked yet. Does not yield.
---@param what string for errors
---@param kind string
---@param topic string?
---@param convert (fun(value: any, former: any, ...): any)? what is kept of an answer, and was of that before; the value by default
---@return table subscription `value`, `state`; `version`: nil while it is not followed
function M.new(what, kind, topic, convert)
	return {
		what = what,
		kind = kind,
		topic = topic,
		convert = convert or function(value)
			return value
		end,
		watchers = {},
		asking = {}, -- see skynet.internal.shared
		used = 0,
	}
end

--- The present value. Yields when it is not followed yet.
---@param self table
---@return any value
function M.value(self)
	self.used = skynet.now()
	if self.version then
		return self.value
	end
	return shared(self.asking, "value", function()
		ask(self, nil)
		respawn(run, self)
		return self.value
	end)
end

--- Whether somebody has asked for it lately, or waits for it. Does not yield.
---@param self table
---@return boolean
function M.is_used(self)
	return self.version ~= nil or next(self.asking) ~= nil or next(self.watchers) ~= nil
end

--- Has `func` called with the value, now and after each change, in a task of its own. Does not yield.
---@param self table
---@param func fun(value: any, state: string)
---@return fun() stop
function M.watch(self, func)
	local function look()
		if self.watchers[look] then
			local value = M.value(self)
			func(value, self.state)
		end
	end
	self.watchers[look] = true
	skynet.fork(look)
	return function()
		self.watchers[look] = nil
	end
end

return M
