-- See ../ownloader.lua.
local name, rest = string.match(..., "^(%S+)%s*(.*)$")
local script, problems = nil, {}
for pattern in string.gmatch(LUA_SERVICE, "[^;]+") do
	local problem
	script, problem = loadfile((string.gsub(pattern, "%?", name)))
	if script then
		break
	end
	problems[#problems + 1] = problem
end
if not script then
	error(table.concat(problems, "\n"))
end
SERVICE_NAME, LOADED_BY = name, "ownloader"
package.path, package.cpath = LUA_PATH, LUA_CPATH
for file in string.gmatch(LUA_PRELOAD, "[^;]+") do
	assert(loadfile(file))()
end
require = require "skynet.require".require
local arguments = {}
for word in string.gmatch(rest, "%S+") do
	arguments[#arguments + 1] = word
end
script(table.unpack(arguments))
