-- Locks by etcd's own recipe (that of its `concurrency` package, so `etcdctl lock` and `etcdctl elect` take part): each
-- candidate creates a key with its lease below PREFIX/owners/NAME/; the oldest key has the lock. A candidate waits for the end of the key
-- just before its own.
--
-- The fencing number is the create revision of the key, which only grows, and above it the time at which this set of data began: so it
-- grows, too, when an empty etcd takes the place of another one. A second is worth 2^20 revisions, more than etcd can write in one. The
-- number stays below 2^53 for 270 years, for those to whom all numbers are floats.

local skynet = require "skynet"
local answers = require "skynet.cluster.etcd.answer"
local client = require "skynet.cluster.etcd.client"
local backoff = require "skynet.internal.backoff"

local M = {}

local FIRST_PAUSE <const>, LONGEST_PAUSE <const> = 10, 200 -- 1/100 s
local EPOCH <const>, REVISIONS <const> = 1704067200, 1 << 20 -- 2024; of each second
local count = 0 -- of this service's candidates

-- Puts this node's key in the queue; it keeps its place when it is there already. Returns its create revision and its fencing number.
local function enter(etcd, key, holder)
	local encoded = client.bytes(etcd.root .. key)
	local lineage = { request_range = { key = client.bytes(etcd.root .. "lineage") } }
	local answer = etcd.client:need("/v3/kv/txn", {
		compare = { { key = encoded, target = "CREATE", result = "EQUAL", create_revision = 0 } },
		success = {
			{ request_put = { key = encoded, value = client.bytes(holder), lease = etcd.lease } },
			lineage,
		},
		failure = { { request_range = { key = encoded } }, lineage },
	})
	local revision = answer.succeeded and answers.integer(answer, "header", "revision")
		or answers.integer(answer, "responses", 1, "response_range", "kvs", 1, "create_revision")
	if answers.count(answer, "responses", 2, "response_range", "kvs") == 0 then
		error("etcd is empty; nobody has begun there yet", 0)
	end
	local lineage_text = answers.bytes(answer, "responses", 2, "response_range", "kvs", 1, "value")
	local begun = math.tointeger(tonumber(string.match(lineage_text, " (%d+)$"))) or EPOCH
	return revision, (begun - EPOCH) * REVISIONS + revision
end

-- The key just before this node's, and the revision of that answer; nil: this node is the first. Raises when its key is gone.
local function before(etcd, prefix, key, created)
	prefix = etcd.root .. prefix
	local answer = etcd.client:need("/v3/kv/range", {
		key = client.bytes(prefix),
		range_end = client.bytes(client.behind(prefix)),
		max_create_revision = created,
		sort_order = "DESCEND",
		sort_target = "CREATE",
		limit = 2,
		keys_only = true,
	})
	local found = answers.count(answer, "kvs")
	if found == 0 or answers.bytes(answer, "kvs", 1, "key") ~= etcd.root .. key then
		error("our key is gone", 0)
	end
	local former = found > 1 and client.bytes(answers.bytes(answer, "kvs", 2, "key")) or nil
	return former, answers.integer(answer, "header", "revision")
end

-- Waits until a key is gone, at most so long.
local function await_end(etcd, encoded, revision, time)
	local watch <close> = etcd.client:watch { key = encoded, start_revision = revision + 1, filters = { "NOPUT" } }
	local open <close> = setmetatable({}, {
		__close = function(mark)
			mark.over = true
		end,
	})
	skynet.timeout(time, function()
		if not open.over then
			watch:shutdown()
		end
	end)
	repeat
		local result = watch:next()
	until result.events or result.canceled
end

-- One try with the present lease: the fencing number, or nil: ask again.
local function try(etcd, prefix, key, holder, deadline)
	local created, number = enter(etcd, key, holder)
	while true do
		local former, revision = before(etcd, prefix, key, created)
		if not former then
			return number
		end
		local left = deadline - skynet.now()
		if left <= 0 then
			return nil
		end
		-- When the connection is cut without a word, this asks again after the time of a lease.
		if not pcall(await_end, etcd, former, revision, math.min(left, etcd.lease_time * 100)) then
			skynet.sleep(FIRST_PAUSE)
		end
		if skynet.now() >= deadline then
			return nil
		end
	end
end

--- Waits for a lock until a time. Yields.
---@param etcd table the provider; `keeper` renews its lease
---@param name string
---@param holder string who that is, for people that look at the key
---@param deadline integer of skynet.now
---@return string? key for `keeper:drop`; nil: it was not to be had in that time, or the engine is away
---@return integer|string number fencing number, or why not
function M.acquire(etcd, name, holder, deadline)
	local prefix = "owners/" .. name .. "/"
	count = count + 1
	local mine, pause = count, backoff(FIRST_PAUSE, LONGEST_PAUSE)
	local problem, key
	repeat
		local lease = etcd.lease
		if lease then
			key = string.format("%s%x.%d", prefix, math.tointeger(tonumber(lease)), mine)
			local ok, number = pcall(try, etcd, prefix, key, holder, deadline)
			if ok and number then
				if etcd.lease == lease then
					return key, number
				end
			elseif not ok then
				problem = tostring(number)
			end
		end
		local left = deadline - skynet.now()
		if left > 0 then
			skynet.sleep(math.min(left, pause()))
		end
	until skynet.now() >= deadline or etcd.closed
	if key then
		etcd.keeper:drop(key)
	end
	return nil, problem or "somebody else has it"
end

return M
