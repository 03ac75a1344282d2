-- Who is here, and who gets to hear what. Names are unique.
local skynet = require "skynet"

local members = {} -- name -> agent

local function tell_others(name, text)
	for other, agent in pairs(members) do
		if other ~= name then
			skynet.send(agent, "lua", "tell", text)
		end
	end
end

local command = {}

function command.join(agent, name)
	if not string.find(name, "^%w+$") then
		return false, "a name has letters and digits"
	elseif members[name] then
		return false, "the name is taken"
	end
	local others = {}
	for other in pairs(members) do
		others[#others + 1] = other
	end
	table.sort(others)
	tell_others(name, name .. " comes in")
	members[name] = agent
	return true, #others > 0 and "here are: " .. table.concat(others, ", ") or "nobody else is here"
end

function command.say(_, name, text)
	tell_others(name, name .. ": " .. text)
end

function command.leave(_, name)
	members[name] = nil
	tell_others(name, name .. " has left")
end

skynet.start(function()
	skynet.dispatch("lua", function(_, from, what, ...)
		skynet.retpack(command[what](from, ...))
	end)
end)
