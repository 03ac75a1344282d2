--- The service behind skynet.sharetable: owns every version of every table until no service uses it.

local skynet = require "skynet"
local serve = require "skynet.internal.owner"
local core = require "skynet.sharetable.core"

-- Source of a table that comes in a message.
local UNPACK <const> = "local unpack, msg, sz = ... return unpack(msg, sz)"

-- A version: { name, matrix = the VM that holds it, users = set of services, count = of users }
local present = {} -- name -> its present version
local used = {} -- service -> set of versions that it has got
local command = {}

local function close_if_unused(version)
	if version.count == 0 and present[version.name] ~= version and version.matrix then
		version.matrix:close()
		version.matrix = nil
	end
end

local function install(name, ...)
	local version = { name = name, matrix = core.matrix(...), users = {}, count = 0 }
	local previous = present[name]
	present[name] = version
	if previous then
		close_if_unused(previous)
	end
end

function command.loadfile(_, name, ...)
	install(name, "@" .. name, ...)
	skynet.ret()
end

function command.loadstring(_, name, source, ...)
	install(name, source, ...)
	skynet.ret()
end

function command.loadtable(_, name, msg, sz)
	local ok, problem = pcall(install, name, UNPACK, skynet.unpack, msg, sz)
	skynet.trash(msg, sz)
	if not ok then
		error(problem, 0)
	end
	skynet.ret()
end

-- Notes that a service uses the present version, and returns the pointer it reads it by and that of its state.
local function give(source, name)
	local version = present[name]
	if not version then
		return nil
	end
	if not version.users[source] then
		version.users[source] = true
		version.count = version.count + 1
		used[source] = used[source] or {}
		used[source][version] = true
	end
	return version.matrix:getptr(), version.matrix:state()
end

--- query name -> pointer, state | nil
function command.query(source, name)
	skynet.retpack(give(source, name))
end

--- queryall names | nil -> name -> pointer, name -> state
function command.queryall(source, names)
	local list, states = {}, {}
	if names then
		for _, name in ipairs(names) do
			list[name], states[name] = give(source, name)
		end
	else
		for name in pairs(present) do
			list[name], states[name] = give(source, name)
		end
	end
	skynet.retpack(list, states)
end

local function take_back(source, version)
	version.users[source] = nil
	version.count = version.count - 1
	if version.count == 0 and present[version.name] ~= version then
		skynet.error(string.format("Delete a version (%s) of %s", version.matrix:getptr(), version.name))
		close_if_unused(version)
	end
end

--- The sender does not use old versions any more, which it names by their pointers.
function command.release(source, pointers)
	local released = {}
	for _, pointer in ipairs(pointers) do
		released[pointer] = true
	end
	for version in pairs(used[source] or {}) do
		if released[version.matrix:getptr()] then
			used[source][version] = nil
			take_back(source, version)
		end
	end
end

--- The sender ends: it uses nothing any more.
function command.close(source)
	for version in pairs(used[source] or {}) do
		take_back(source, version)
	end
	used[source] = nil
end

local function describe(version)
	local users = {}
	for service in pairs(version.users) do
		table.insert(users, skynet.address(service))
	end
	table.sort(users)
	return string.format("%s [%d]: (%s)", version.matrix:getptr(), version.matrix:size(), table.concat(users, ","))
end

local function describe_all()
	local info, history = {}, {}
	for name, version in pairs(present) do
		info[name] = { current = version.matrix:getptr(), size = version.matrix:size() }
		history[name] = {}
	end
	local seen = {}
	for _, versions in pairs(used) do
		for version in pairs(versions) do
			if not seen[version] then
				seen[version] = true
				table.insert(history[version.name], describe(version))
			end
		end
	end
	for name, lines in pairs(history) do
		if lines[1] then
			info[name].history = table.concat(lines, "\n\t")
		end
	end
	return info
end

--- Makes the running service the owner.
return function()
	serve(command, describe_all)
end
