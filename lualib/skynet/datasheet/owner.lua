--- The service behind skynet.datasheet: which version of each sheet is the present one, who reads it,
--- and when the builder may free an old one.
---
--- Each version counts its readers, and 1 for being the present one until the builder releases it.

local skynet = require "skynet"
local serve = require "skynet.internal.owner"

local versions = {} -- handle -> { name, count, collect = response to the builder }
local sheets = {} -- name -> { handle, watchers = { [service] = response } }
local read_by = {} -- service -> set of handles
local command = {}

local function note_reader(source, handle)
	local handles = read_by[source]
	if not handles then
		handles = {}
		read_by[source] = handles
	end
	if not handles[handle] then
		handles[handle] = true
		versions[handle].count = versions[handle].count + 1
	end
end

local function release(source, handle)
	local version = versions[handle]
	if not version then
		return
	end
	version.count = version.count - 1
	if version.count == 0 and version.collect then
		versions[handle] = nil
		version.collect(true)
	end
	local sheet = sheets[version.name]
	if sheet.handle == handle then
		sheet.watchers[source] = nil
	end
end

local function version_of(handle)
	return versions[handle] or error "Invalid data handle"
end

--- From the builder: the first or the next version of a sheet.
function command.update(_, name, handle)
	versions[handle] = { name = name, count = 1 }
	local sheet = sheets[name]
	if not sheet then
		sheets[name] = { handle = handle, watchers = {} }
	else
		local watchers = sheet.watchers
		sheet.handle, sheet.watchers = handle, {}
		for source, respond in pairs(watchers) do
			if respond(true, handle) then
				note_reader(source, handle)
			end
		end
	end
	skynet.ret()
end

--- query name -> handle
function command.query(source, name)
	local sheet = sheets[name] or error "create data first"
	note_reader(source, sheet.handle)
	skynet.retpack(sheet.handle)
end

--- monitor handle -> the version after it
function command.monitor(source, handle)
	local sheet = sheets[version_of(handle).name]
	if sheet.handle ~= handle then
		note_reader(source, sheet.handle)
		return skynet.retpack(sheet.handle)
	end
	assert(not sheet.watchers[source], "one monitor a service")
	sheet.watchers[source] = skynet.response()
end

--- A reader has left a version behind, or the builder has.
function command.release(source, handle)
	local handles = read_by[source]
	if handles then
		handles[handle] = nil
	end
	release(source, handle)
end

--- A reader ends.
function command.close(source)
	for handle in pairs(read_by[source] or {}) do
		release(source, handle)
	end
	read_by[source] = nil
end

--- From the builder: answered when no service reads the version any more.
function command.collect(_, handle)
	local version = version_of(handle)
	if version.count == 0 then
		versions[handle] = nil
		return skynet.ret()
	end
	assert(not version.collect, "Only one collect allows")
	version.collect = skynet.response()
end

local function describe()
	local info = {}
	for handle, version in pairs(versions) do
		local sheet = sheets[version.name]
		if sheet.handle == handle then
			info[version.name] = { handle = handle, monitors = version.count }
		else
			info[handle] = version.count
		end
	end
	return info
end

--- Makes the running service the owner.
return function()
	serve(command, describe)
end
