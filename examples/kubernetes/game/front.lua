-- Buys, from each shop in turns; tells which ones there are, and every ten seconds how it goes.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local discovery = require "skynet.cluster.discovery"

local shops, turn = {}, 0
local bought, failed = 0, 0

local function next_shop()
	turn = turn % #shops + 1
	return shops[turn]
end

local function buy()
	local ok, problem = pcall(cluster.call, next_shop(), "@shop", "bread")
	if ok then
		bought = bought + 1
	elseif #shops > 0 and string.find(problem, "no way to node", 1, true) then
		return buy() -- it has left, and was not asked: another one
	else
		failed = failed + 1
		print("failed: " .. problem)
	end
end

local function report()
	print(string.format("bought: %d, failed: %d", bought, failed))
end

skynet.start(function()
	discovery.watch(function(nodes)
		shops = {}
		for node in pairs(nodes) do
			shops[#shops + 1] = node
		end
		table.sort(shops)
		print("open: " .. table.concat(shops, " "))
	end)
	local ending = false
	skynet.fork(function()
		while not ending do
			if #shops > 0 then
				buy()
			end
			skynet.sleep(1)
		end
	end)
	skynet.fork(function()
		while not ending do
			skynet.sleep(1000)
			report()
		end
	end)
	skynet.on_shutdown(function()
		ending = true
		report()
	end)
	skynet.newservice("metrics", "0.0.0.0", os.getenv "METRICS_PORT")
end)
