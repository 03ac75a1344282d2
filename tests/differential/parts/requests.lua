-- skynet.request, for the suite of tasks.
local skynet = require "skynet"
local sweep = require "sweep"

local case = sweep.case

local function selecting()
	local echo = sweep.peer(skynet.newservice "differential_echo")
	local function collect(batch, timeout)
		local list = {}
		for request, response in batch:select(timeout) do
			list[#list + 1] = { request[4] or request[3], response }
		end
		table.sort(list, function(a, b)
			return tostring(a[1]) < tostring(b[1])
		end)
		return list, batch.timeout
	end
	case("skynet.request", "two", function()
		return collect(skynet.request { echo, "lua", "echo", 1 } { echo, "lua", "echo", 2 })
	end)
	case("skynet.request", "added", function()
		local batch = skynet.request()
		batch:add { echo, "lua", "echo", 1 }
		batch:add { echo, "lua", "fail", "x" }
		batch:add { 0x7fffff, "lua", "echo", 3 }
		batch:add { echo, "lua", "nothing" }
		return collect(batch)
	end)
	case("skynet.request", "none", function()
		return collect(skynet.request())
	end)
	case("skynet.request", "limit of time", function()
		return collect(skynet.request { echo, "lua", "later", 1000 } { echo, "lua", "echo", 2 }, 3)
	end)
	case("skynet.request", "left early", function()
		for request in skynet.request { echo, "lua", "echo", 1 } { echo, "lua", "echo", 2 }:select() do
			return type(request)
		end
	end)
	case("skynet.request", "selected twice", function()
		local batch = skynet.request { echo, "lua", "echo", 1 }
		collect(batch)
		return sweep.observe(collect, batch), sweep.observe(batch.add, batch, { 1 })
	end)
	case("skynet.request", "no table", skynet.request, "text")
	case("skynet.request", "nil address", function()
		return collect(skynet.request { nil, "lua", "echo", 1 })
	end)
	case("skynet.request", "unknown protocol", function()
		return collect(skynet.request { echo, "no such", "echo", 1 })
	end)
	case("skynet.request", "n", function()
		return collect(skynet.request { echo, "lua", "echo", nil, 2, n = 5 })
	end)
	case("skynet.request", "shape", function()
		local batch = skynet.request { echo, "lua", "echo", 1 }
		return rawlen(batch), type(getmetatable(batch))
	end)
	skynet.kill(echo)
end

return selecting
