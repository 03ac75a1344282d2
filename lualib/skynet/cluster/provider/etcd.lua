-- Discovery by etcd (3.4 or later). What a node tells of itself are keys below PREFIX/nodes/ and PREFIX/names/ with its lease;
-- what is to be known is followed by one watch. PREFIX/config/ has values that operators set, PREFIX/owners/ the locks.

local skynet = require "skynet"
local crypt = require "skynet.crypt"
local answers = require "skynet.cluster.etcd.answer"
local client = require "skynet.cluster.etcd.client"
local etcdlock = require "skynet.cluster.etcd.lock"
local LEFT <const> = require "skynet.cluster.registry".LEFT
local awake = require "skynet.internal.awake"
local following = require "skynet.internal.following"

local LONGEST_LEASE <const> = 3600 -- seconds

local M = {}
---@class skynet.cluster.provider.etcd.Provider
local Provider = { agrees = true, writes = true, tells_doubt = true }
Provider.__index = Provider

--- Makes one; nothing runs yet. Does not yield.
---@param description table of skynet.cluster.url
---@param setup { lease: integer, files: table, sink: table, clock: table? } clock: as skynet.internal.awake
function M.new(description, setup)
	local clock = setup.clock or awake
	return setmetatable({
		client = client.new(description, setup.files),
		clock = clock,
		root = description.prefix .. "/",
		lease_time = setup.lease,
		sink = setup.sink,
		closed = false,
		heard = clock.now(), -- when etcd has said something
		-- lease: its id, as text
		-- watch: the open one
		-- lineage, revision: of what is known; last_revision: also when all has to be read again
	}, Provider)
end

-- Etcd says something. Who renews a lease does so three times in its time: so an etcd that stood still for less than two thirds of it
-- has ended no lease of a node that lives. The time in which this process stood still itself is not etcd's.
local function hear(self)
	local now = self.clock.now()
	local silence = now - self.heard
	self.heard = now
	if silence >= self.lease_time * 50 then
		self.sink.doubt()
	end
end

local function need(self, path, request)
	local answer = self.client:need(path, request)
	hear(self)
	return answer
end

---------------------------------------------------------------- what this node tells

-- Whoever has a lock has to hear of it before there is another lease.
local function lose_lease(self)
	self.lease = nil
	self.sink.lease_lost()
end

-- etcd may give more time than it was asked for, not less; it is asked again within the hour whatever it says.
local function seconds_of(answer, ...)
	return math.max(math.min(answers.integer(answer, ...), LONGEST_LEASE), 0)
end

local function grant(self)
	local answer = need(self, "/v3/lease/grant", { TTL = self.lease_time })
	local seconds, id = seconds_of(answer, "TTL"), answers.integer(answer, "ID")
	if seconds == 0 or id <= 0 then
		answers.refuse(answer, { "TTL" }, string.format("grants %d seconds of a lease with the ID %d", seconds, id))
	end
	self.lease = string.format("%d", id)
	return seconds, true
end

--- See skynet.cluster.keeper. A node that has nothing to tell has no lease.
function Provider:renew()
	if not self.needs_lease then
		need(self, "/v3/kv/range", { key = client.bytes(self.root .. "nodes/"), count_only = true })
		return self.lease_time, false
	elseif not self.lease then
		return grant(self)
	end
	local answer = need(self, "/v3/lease/keepalive", { ID = self.lease })
	answers.object(answer, "result")
	local seconds = seconds_of(answer, "result", "TTL")
	if seconds > 0 then
		return seconds, false
	end
	lose_lease(self)
	return grant(self)
end

-- The lease may have ended since it was renewed.
local function needs(self, path, request)
	local answer, fault = self.client:ask(path, request)
	if not answer then
		if fault.code == client.NOT_FOUND and request.lease and request.lease == self.lease then
			lose_lease(self)
		end
		error(string.format("etcd refuses %s: %s", path, fault.message), 0)
	end
	return answer
end

function Provider:ready()
	return self.lease ~= nil or not self.needs_lease
end

function Provider:store(key, value)
	if not self.lease then
		error("there is no lease", 0)
	end
	needs(self, "/v3/kv/put", {
		key = client.bytes(self.root .. key),
		value = client.bytes(value),
		lease = self.lease,
	})
end

--- A value that stays when this node ends. Yields.
function Provider:store_for_good(key, value)
	needs(self, "/v3/kv/put", { key = client.bytes(self.root .. key), value = client.bytes(value) })
end

function Provider:erase(key)
	needs(self, "/v3/kv/deleterange", { key = client.bytes(self.root .. key) })
end

--- It has not answered the keeper: what is open is of no use either.
function Provider:suspect(problem)
	self.problem = problem
	if self.watch then
		self.watch:shutdown()
	end
end

--- All that this node has told ends, at once. Yields.
---@param keys string[]
function Provider:leave(keys)
	local lease = self.lease
	if lease then
		for _, key in ipairs(keys) do
			pcall(self.store, self, key, LEFT)
		end
		self.lease, self.needs_lease = nil, false
		self.client:ask("/v3/lease/revoke", { ID = lease })
	end
end

---------------------------------------------------------------- what others tell

-- The key that tells one set of data from another: etcd's own id of a cluster is the same for an empty one in its place. Its value ends
-- with the time at which it was made, see skynet.cluster.etcd.lock.
local function lineage_key(self)
	return client.bytes(self.root .. "lineage")
end

local function take_all(self)
	local encoded = lineage_key(self)
	local entries_of_all = {
		request_range = {
			key = client.bytes(self.root .. "config/"),
			range_end = client.bytes(client.behind(self.root .. "nodes/")),
		},
	}
	local fresh = string.format("%s %d", crypt.hexencode(crypt.randomkey()), math.floor(skynet.time()))
	local answer = need(self, "/v3/kv/txn", {
		compare = { { key = encoded, target = "CREATE", result = "EQUAL", create_revision = 0 } },
		success = { { request_put = { key = encoded, value = client.bytes(fresh) } }, entries_of_all },
		failure = { { request_range = { key = encoded } }, entries_of_all },
	})
	local lineage, entries = fresh, {}
	if not answer.succeeded then
		answers.object(answer, "responses", 1, "response_range", "kvs", 1)
		lineage = answers.bytes(answer, "responses", 1, "response_range", "kvs", 1, "value")
	end
	answers.object(answer, "responses", 2, "response_range")
	for i = 1, answers.count(answer, "responses", 2, "response_range", "kvs") do
		answers.object(answer, "responses", 2, "response_range", "kvs", i)
		local key = answers.bytes(answer, "responses", 2, "response_range", "kvs", i, "key")
		entries[string.sub(key, #self.root + 1)] =
			answers.bytes(answer, "responses", 2, "response_range", "kvs", i, "value")
	end
	local revision = answers.integer(answer, "header", "revision")
	local is_older = self.lineage == lineage and revision < self.last_revision -- restored from a backup
	self.lineage, self.revision, self.last_revision = lineage, revision, revision
	self.sink.snapshot(entries, is_older and string.format("%s@%d", lineage, revision) or lineage)
end

-- Whether an engine that was away has the data that it had.
local function is_the_same(self)
	local answer = need(self, "/v3/kv/range", { key = lineage_key(self) })
	local found = answers.count(answer, "kvs") > 0 and answers.bytes(answer, "kvs", 1, "value")
	return found == self.lineage and answers.integer(answer, "header", "revision") >= self.revision
end

-- False: all has to be read again.
local function take_events(self, result)
	if result.canceled and not result.compact_revision then
		error(string.format("etcd ends the watch: %s", tostring(result.cancel_reason or "it does not say why")), 0)
	elseif result.canceled then
		-- What has happened since the last revision is no longer known there.
		skynet.error(
			string.format(
				"cluster discovery: etcd has compacted its history up to revision %s, all is read again",
				tostring(result.compact_revision)
			)
		)
		return false
	end
	for i = 1, answers.count(result, "events") do
		local event = answers.object(result, "events", i)
		answers.object(result, "events", i, "kv")
		local key = string.sub(answers.bytes(result, "events", i, "kv", "key"), #self.root + 1)
		if event.type == "DELETE" then
			self.sink.delete(key)
		else
			self.sink.put(key, answers.bytes(result, "events", i, "kv", "value"))
		end
	end
	if result.events then
		self.revision = math.max(self.revision, answers.integer(result, "header", "revision"))
		self.last_revision = self.revision
	end
	return true
end

-- Follows one watch until it ends; raises why.
local function follow(self, on_alive)
	if not self.revision or not is_the_same(self) then
		take_all(self)
	end
	local watch <close> = self.client:watch {
		key = client.bytes(self.root .. "config/"),
		range_end = client.bytes(client.behind(self.root .. "nodes/")),
		start_revision = self.revision + 1,
	}
	self.watch = watch
	while true do
		local result = watch:next()
		hear(self)
		if not take_events(self, result) then
			self.revision = nil
			return
		end
		on_alive()
	end
end

--- Follows the engine until `close`, and tells the sink. Yields.
function Provider:run()
	following(self, #self.client.endpoints, function(on_alive)
		local ok, problem = pcall(follow, self, function()
			on_alive(self.client:where())
		end)
		self.watch = nil
		if not ok then
			error(problem, 0)
		end
	end, function()
		self.client:move_on()
	end)
end

---------------------------------------------------------------- locks

--- See skynet.cluster.etcd.lock.
function Provider:acquire(name, holder, deadline)
	return etcdlock.acquire(self, name, holder, deadline)
end

function Provider:close()
	self.closed = true
	if self.watch then
		self.watch:shutdown()
	end
end

return M
