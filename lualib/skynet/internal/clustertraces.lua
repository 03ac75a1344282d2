--- Which requests of another node are traced here. Each costs some lines of the log with a tag that the other node has chosen,
--- which may be anybody: so there may be so many in a second (config key `cluster_trace`; 0: none), and half as many of one
--- connection. The others are handled without.
---
---     local traceable = clustertraces.new(complain)
---     local tag = traceable "(a-b-7):0000000a-1"

local core = require "skynet.cluster.core"
local skynet = require "skynet"
local printable = require "skynet.internal.printable"
local ratelimit = require "skynet.internal.ratelimit"

local TRACED <const> = 50 -- in a second
local LONGEST <const> = 256 -- bytes of a tag; those of nodes are two names and some numbers

local admit = core.admittrace or function(most)
	return most > 0
end -- the C project's module has none: then each connection has its own limit alone

local M = {}

---@param complain fun(text: string) tells what the other side does wrong
---@return fun(tag: string): string? traceable the tag as it may stand in the log; nil: the request is not traced. Does not yield
function M.new(complain)
	local most = math.tointeger(tonumber(skynet.getenv "cluster_trace")) or TRACED
	local limit = ratelimit((most + 1) // 2, 100)
	return function(tag)
		if tag == "" then
			return nil
		end
		local shown = #tag <= LONGEST and printable(tag)
		if not shown or #shown > LONGEST then
			complain(string.format("has sent a trace tag of %d bytes: requests with such a tag are not traced", #tag))
			return nil
		end
		if limit() and admit(most) then
			return shown
		end
		if most > 0 then
			complain(string.format("asks for more traces than there may be (cluster_trace = %d a second)", most))
		end
		return nil
	end
end

return M
