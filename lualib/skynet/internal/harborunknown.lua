--- A message to a global name that no node has waits like one whose service comes late: when it is the name that is wrong, people
--- have to be told.

local skynet = require "skynet"
local defer = require "skynet.internal.defer"
local printable = require "skynet.internal.printable"

local REPORT_AFTER <const>, MOST_REPORTS <const> = 500, 100 -- 1/100 s; names at a time
local unknown, unknown_count = {}, 0 -- name -> true while it is looked whether a service will have it

local function forget(name)
	unknown[name], unknown_count = nil, unknown_count - 1
end

--- Says in the log if `names` has not got the name after some time. Yields.
---@param name string
---@param names table<string, integer>
return function(name, names)
	if unknown[name] or unknown_count >= MOST_REPORTS then
		return
	end
	unknown[name], unknown_count = true, unknown_count + 1
	local _ <close> = defer(forget, name)
	skynet.sleep(REPORT_AFTER)
	if not names[name] then
		local text =
			"A message to the name '%s', which no node of the network has: it waits (names of this node begin with a dot)"
		skynet.error(string.format(text, printable(name)))
	end
end
