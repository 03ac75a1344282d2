-- Answers the shared table of a name.
local skynet = require "skynet"
local sharetable = require "skynet.sharetable"

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name)
		local t = sharetable.query(name)
		local copy = {}
		for key, value in pairs(t) do
			copy[key] = value
		end
		skynet.retpack(copy)
	end)
end)
