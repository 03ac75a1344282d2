-- Asks the node "store" without end, several tasks at a time, with small and large messages.
local skynet = require "skynet"
local cluster = require "skynet.cluster"

local TASKS <const>, STEP <const> = 10, 500

skynet.start(function()
	cluster.reload { store = skynet.getenv "store", __reconnect = tonumber(skynet.getenv "patience") }
	local answered, reported = 0, false
	local function ask(task)
		local text = string.rep(string.char(64 + task), task == 1 and 100000 or task)
		while true do
			cluster.send("store", "@echo", text)
			local ok, pushed, echo, number = pcall(cluster.call, "store", "@echo", text, answered)
			if not ok then
				if not reported then
					reported = true
					print "a call has failed"
				end
				skynet.sleep(5)
			else
				assert(math.type(pushed) == "integer" and echo == text and math.type(number) == "integer")
				answered = answered + 1
				if answered % STEP == 0 then
					reported = false
					print("progress", answered)
				end
			end
		end
	end
	for task = 1, TASKS do
		skynet.fork(ask, task)
	end
end)
