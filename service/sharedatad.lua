-- Owns the data of skynet.sharedata. A version of some data is a table of the C side with a count of
-- references: one of this service while it is the present version, one for each handle on its way to a
-- service (which confirms it), one for each service that uses it.

local skynet = require "skynet"
local host = require "skynet.sharedata.corelib".host
require "skynet.codecache".mode "OFF" -- data files change and are read again

local SECOND <const>, MINUTE <const> = 100, 60 * 100
local FIRST_PURGE <const> = 16
local MANY_OLD <const> = 8 -- so many old versions are looked at when one is added

local present = {} -- name -> { handle, watchers = { [response] = true }, count = of them, purge_at = count }
local versions = {} -- handle -> "present" or "old"
local old_count = 0
local look_at = MANY_OLD
local looking -- a token while a task looks now and then
local command = {}
local NO_ANSWER = {}

local function load_value(name, value, ...)
	local kind = type(value)
	if kind == "table" then
		return value
	elseif kind == "nil" then
		return {}
	elseif kind ~= "string" then
		error("Unknown data type " .. kind)
	end
	local globals = setmetatable({}, { __index = _ENV })
	local chunk
	if string.sub(value, 1, 1) == "@" then
		chunk = assert(loadfile(string.sub(value, 2), "bt", globals))
	else
		chunk = assert(load(value, "=" .. name, "bt", globals))
	end
	local result = chunk(...)
	setmetatable(globals, nil)
	return type(result) == "table" and result or globals
end

local function make_version(name, ...)
	local handle = host.new(load_value(name, ...))
	host.incref(handle)
	versions[handle] = "present"
	return handle
end

-- Frees old versions that no service uses.
local function collect()
	for handle, state in pairs(versions) do
		if state == "old" and host.getref(handle) <= 0 then
			versions[handle] = nil
			host.delete(handle)
			old_count = old_count - 1
		end
	end
	look_at = math.max(MANY_OLD, old_count * 2)
end

-- Readers let go when their garbage is collected, without a message. While there are old versions, looks less and less often.
local function collect_sometimes(token)
	local pause = SECOND
	while looking == token and old_count > 0 do
		skynet.sleep(pause)
		if looking == token then
			collect()
		end
		pause = math.min(pause * 2, MINUTE)
	end
	if looking == token then
		looking = nil
		collectgarbage() -- what the values came in
	end
end

local function retire(handle)
	versions[handle] = "old"
	host.decref(handle)
	old_count = old_count + 1
	if old_count >= look_at then
		collect()
	end
	looking = {}
	skynet.fork(collect_sometimes, looking)
end

local function install(name, handle)
	present[name] = { handle = handle, watchers = {}, count = 0, purge_at = FIRST_PURGE }
end

local function find(name)
	return present[name] or error("no shared data " .. tostring(name))
end

function command.new(name, ...)
	assert(present[name] == nil, "the name exists")
	install(name, make_version(name, ...))
end

function command.update(name, ...)
	local handle = make_version(name, ...) -- when this fails, the old version stays
	local before = present[name]
	install(name, handle)
	if before then
		host.markdirty(before.handle)
		retire(before.handle)
		for respond in pairs(before.watchers) do
			host.incref(handle)
			if not respond(true, handle) then
				host.decref(handle) -- it has ended
			end
		end
	end
end

function command.delete(name)
	local entry = find(name)
	present[name] = nil
	retire(entry.handle)
	for respond in pairs(entry.watchers) do
		respond(true)
	end
end

--- query name -> handle, to be confirmed
function command.query(name)
	local entry = find(name)
	host.incref(entry.handle)
	return entry.handle
end

function command.confirm(handle)
	if versions[handle] then
		host.decref(handle)
	end
	return NO_ANSWER
end

-- Forgets watchers that have ended.
local function purge(entry)
	for respond in pairs(entry.watchers) do
		if not respond "TEST" then
			entry.watchers[respond] = nil
			entry.count = entry.count - 1
		end
	end
	entry.purge_at = math.max(FIRST_PURGE, entry.count * 2)
end

--- monitor name, handle -> the version after `handle`, to be confirmed; nothing when the data is deleted
function command.monitor(name, handle)
	local entry = present[name]
	if not entry then
		return
	elseif handle ~= entry.handle then
		host.incref(entry.handle)
		return entry.handle
	end
	if entry.count >= entry.purge_at then
		purge(entry)
	end
	entry.count = entry.count + 1
	entry.watchers[skynet.response()] = true
	return NO_ANSWER
end

-- name -> versions: of the names that have one, and all old ones.
local function describe()
	local info = { old = old_count }
	for name, entry in pairs(present) do
		info[name] = string.format("%s: %d references", entry.handle, host.getref(entry.handle))
	end
	return info
end

skynet.start(function()
	skynet.info_func(describe)
	skynet.dispatch("lua", function(_, _, name, ...)
		local run = command[name]
		if not run then
			error("unknown command " .. tostring(name))
		end
		local result = run(...)
		if result ~= NO_ANSWER then
			skynet.retpack(result)
		end
	end)
end)
