--- A skynet.error for lines that strangers can cause: 20 in ten seconds, and the next one says how many were left out.
---
---     local log = limitedlog()
---     log("socket: error on", id, text)

local skynet = require "skynet"
local ratelimit = require "skynet.internal.ratelimit"

local LINES <const>, TIME <const> = 20, 1000 -- in so many 1/100 s

---@param lines integer? nil: 20
---@param time integer? 1/100 s, nil: ten seconds
---@return fun(...: any) log does not yield
return function(lines, time)
	local limit = ratelimit(lines or LINES, time or TIME)
	return function(...)
		local more = limit()
		if more == "" then
			skynet.error(...)
		elseif more then
			local words = table.pack(...)
			words[words.n + 1] = string.sub(more, 2)
			skynet.error(table.unpack(words, 1, words.n + 1))
		end
	end
end
