-- Answers the shared table of a name: the one of now, or one that it keeps and updates when it is told to.
local skynet = require "skynet"
local sharetable = require "skynet.sharetable"

local kept = {}
local how = {}

function how.now(name)
	return sharetable.query(name)
end

function how.keep(name)
	kept[name] = sharetable.query(name)
	return kept[name]
end

function how.update(name)
	sharetable.update(name)
	return kept[name]
end

function how.kept(name)
	return kept[name]
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, what)
		local copy = {}
		for key, value in pairs(how[what or "now"](name)) do
			copy[key] = value
		end
		skynet.retpack(copy)
	end)
end)
