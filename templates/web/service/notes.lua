-- The data. All workers ask this one service, so there is one order of events and nothing to lock. A real one keeps them in a
-- database (`skynet.db`).
local skynet = require "skynet"

local MOST <const> = 1000 -- what strangers send takes no memory without bound
local notes = {} -- id -> { id, text }
local count, last = 0, 0
local workers = {} -- services that are told of changes
local command = {}

local function tell(what, note)
	for _, worker in ipairs(workers) do
		skynet.send(worker, "lua", "changed", what, note)
	end
end

function command.watch(worker)
	workers[#workers + 1] = worker
end

function command.add(text)
	if count == MOST then
		return nil, "full"
	end
	count, last = count + 1, last + 1
	notes[last] = { id = last, text = text }
	tell("added", notes[last])
	return notes[last]
end

function command.get(id)
	return notes[id]
end

function command.list()
	local list = {}
	for _, note in pairs(notes) do
		list[#list + 1] = note
	end
	table.sort(list, function(a, b)
		return a.id < b.id
	end)
	return list
end

function command.remove(id)
	local note = notes[id]
	if not note then
		return false
	end
	notes[id], count = nil, count - 1
	tell("removed", note)
	return true
end

skynet.start(function()
	skynet.dispatch("lua", function(session, _, name, ...)
		local run = command[name] or error("the notes know no command " .. tostring(name))
		if session == 0 then
			run(...)
		else
			skynet.retpack(run(...))
		end
	end)
end)
