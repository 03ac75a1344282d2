--- Tells the services of this node which other nodes of the network of harbors are lost: requests that are on their way there are
--- answered by nobody, so they fail. A message to every service is dear, and anybody may connect as some node and leave again,
--- so it is not done for each loss.
---
---     local losses = harborlosses.new(function() return names end) -- the global names, with their handles
---     losses.tell(id) -- soon. Does not yield
---     losses.wait(id) -- until that is done: requests that are made later are none of those. Yields
local skynet = require "skynet"

local TELL_AGAIN <const> = 50 -- 1/100 s until services are told of further nodes

local M = {}

---@param names fun(): table<string, integer>
function M.new(names)
	local losses = {}
	local untold = {} -- id -> true: nodes of which the services have not been told yet
	local waiting = {} -- id -> tasks
	local being_told = {} -- those of which they are told now
	local telling, complained = false, false

	local function tell_services(ids)
		local their_names = {}
		for name, handle in pairs(names()) do
			if ids[handle >> 24] then
				their_names[name] = true
			end
		end
		for address, command_line in pairs(skynet.call(".launcher", "lua", "LIST")) do
			if string.find(command_line, "^snlua ") then
				skynet.send(address, "debug", "LOST", ids, their_names)
			end
		end
	end

	local function let_go(ids)
		for id in pairs(ids) do
			local tasks = waiting[id] or {}
			waiting[id] = nil
			for _, task in ipairs(tasks) do
				skynet.wakeup(task)
			end
		end
	end

	-- Without a launcher it is not known who is there: later, perhaps.
	local function tell_all()
		repeat
			local ids = untold
			untold, being_told = {}, ids
			local ok, problem = pcall(tell_services, ids)
			being_told = {}
			if not ok then
				if not complained then
					complained = true
					skynet.error("harbor: services cannot be told of lost nodes: " .. tostring(problem))
				end
				for id in pairs(ids) do
					untold[id] = true
				end
			end
			let_go(ids)
			skynet.sleep(TELL_AGAIN)
		until not next(untold)
		telling = false
	end

	function losses.tell(id)
		untold[id] = true
		if not telling then
			telling = true
			skynet.fork(tell_all)
		end
	end

	function losses.wait(id)
		if untold[id] or being_told[id] then
			waiting[id] = waiting[id] or {}
			local task = coroutine.running()
			table.insert(waiting[id], task)
			skynet.wait(task)
		end
	end

	return losses
end

return M
