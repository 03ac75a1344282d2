-- The data. All workers ask this one service, so there is one order of events and nothing to lock.
local skynet = require "skynet"

local MOST <const> = 1000 -- what strangers send takes no memory without bound
local guests = {} -- list of { id, name }
local watching = {} -- workers that are told of each new guest
local command = {}

function command.watch(worker)
	watching[#watching + 1] = worker
end

function command.sign(name)
	if #guests == MOST then
		return nil
	end
	local guest = { id = #guests + 1, name = name }
	guests[guest.id] = guest
	for _, worker in ipairs(watching) do
		skynet.send(worker, "lua", "signed", guest)
	end
	return guest
end

function command.list()
	return guests
end

function command.get(id)
	return guests[id]
end

skynet.start(function()
	skynet.dispatch("lua", function(session, _, name, ...)
		local run = command[name] or error("the guestbook knows no command " .. tostring(name))
		if session == 0 then
			run(...)
		else
			skynet.retpack(run(...))
		end
	end)
end)
