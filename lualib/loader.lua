--- First chunk of every Lua service: finds the script that the launch arguments name and runs it.
---
--- In: the launch arguments as one string ("name arg1 arg2"), and the globals LUA_SERVICE, LUA_PATH,
--- LUA_CPATH, LUA_PRELOAD that snlua sets. Out: package.path and package.cpath, SERVICE_NAME,
--- SERVICE_PATH, and `require` replaced by the one that services need.

-- The next piece of a text and where it ends. (An iterator of string.gmatch is 600 bytes that lie in each service until its first
-- collection.)
local function piece(text, pattern, after)
	local first, last = string.find(text, pattern, after + 1)
	return first and string.sub(text, first, last), last
end

local words = {}
local word, at = piece(..., "%S+", 0)
while word do
	words[#words + 1] = word
	word, at = piece(..., "%S+", at)
end
SERVICE_NAME = words[1] or error "no name of a service is given"

-- A script inside of the executable, whose code all services share. Other executables have none.
local function embedded_script(path)
	local ok, embedded = pcall(require, "skynet.embedded")
	return ok and embedded.load(path) or nil
end

local ENOENT <const>, EACCES <const> = 2, 13

-- Whether there is a file, also when it cannot be opened: it may not be read, or there are too many open files.
local function is_file(path)
	local file, _, code = io.open(path, "r")
	if file then
		file:close()
		return true
	end
	return code == EACCES or code ~= ENOENT and package.searchpath(path, "?", "", "") ~= nil
end

local function fill(pattern, name)
	local at = string.find(pattern, "?", 1, true)
	if at and not string.find(pattern, "?", at + 1, true) then
		return string.sub(pattern, 1, at - 1) .. name .. string.sub(pattern, at + 1)
	end
	return (string.gsub(pattern, "%?", { ["?"] = name }))
end

--- Returns the script and the pattern that it was found by (nil: inside of the executable).
local function find_service(name, patterns)
	local tried, broken = {}, nil
	local pattern, last = piece(patterns, "[^;]+", 0)
	while pattern do
		local path = fill(pattern, name)
		local script, problem = loadfile(path)
		if script then
			return script, pattern
		end
		tried[#tried + 1] = problem
		if is_file(path) then
			broken = broken or {}
			broken[#broken + 1] = problem
		end
		pattern, last = piece(patterns, "[^;]+", last)
	end
	-- A file that does not compile, or cannot be opened, must not be replaced by another one in silence; where others were looked for says nothing then.
	if broken then
		tried = broken
	else
		local script = embedded_script("service/" .. name .. ".lua")
		if script then
			return script
		end
	end
	error(table.concat(tried, "\n"))
end

local script, found_by = find_service(SERVICE_NAME, LUA_SERVICE)

package.path, package.cpath = LUA_PATH, LUA_CPATH
LUA_SERVICE, LUA_PATH, LUA_CPATH = nil, nil, nil

if found_by then
	local folder = string.match(found_by, "^.*/")
	if folder and not string.find(found_by, "?", #folder + 1, true) then
		-- "dir/?/main.lua": the service has a folder of its own, where its modules come first.
		SERVICE_PATH = fill(folder, SERVICE_NAME)
		package.path = SERVICE_PATH .. "?.lua;" .. package.path
	else
		SERVICE_PATH = folder
	end
end

local preload = LUA_PRELOAD
LUA_PRELOAD = nil
if preload then
	-- One file; loaders of projects take a list too, and their services inside of the executable come here.
	local file, last = piece(preload, "[^;]+", 0)
	while file do
		assert(loadfile(file))(table.unpack(words))
		file, last = piece(preload, "[^;]+", last)
	end
end

_G.require = require "skynet.require".require

script(table.unpack(words, 2))
