-- A shop: other services fill it and buy from it. Its stock belongs to it alone, so there is nothing to lock.
local skynet = require "skynet"

local owner = ...
local stock = {}
local command = {}

function command.fill(item, count)
	stock[item] = (stock[item] or 0) + count
end

function command.sell(item)
	if (stock[item] or 0) == 0 then
		return false, owner .. " has no " .. item
	end
	stock[item] = stock[item] - 1
	return true, stock[item] .. " left"
end

skynet.start(function()
	-- Runs for each message of the type "lua", in a task of its own.
	skynet.dispatch("lua", function(session, source, name, ...)
		local run = command[name]
		if not run then
			error(("the shop knows no command %s"):format(name)) -- raises in the caller, too
		end
		if session == 0 then
			run(...) -- a send: nobody waits
		else
			skynet.retpack(run(...)) -- a call: the answer
		end
	end)
end)
