-- The node that buys, in ten tasks at a time, from whichever shop there is; tells which ones there are, and in the end how it went.
local skynet = require "skynet"
local cluster = require "skynet.cluster"

local bought, failed, latest = 0, 0, 0 -- latest: the longest that a call took, in 1/100 s

local function buy()
	local begin = skynet.now()
	local ok, problem = pcall(cluster.call_name, { "shop", by = "least" }, "bread")
	latest = math.max(latest, skynet.now() - begin)
	if ok then
		bought = bought + 1
	else
		failed = failed + 1
		print("failed:", problem)
	end
end

skynet.start(function()
	cluster.watch_name("shop", function(shops)
		local names = {}
		for i, shop in ipairs(shops) do
			names[i] = shop.node
		end
		table.sort(names)
		print(string.format("open: %s.", table.concat(names, " ")))
	end)
	while #cluster.find_name "shop" == 0 do
		skynet.sleep(10)
	end
	local ending = false
	for _ = 1, 10 do
		skynet.fork(function()
			while not ending do
				buy()
			end
		end)
	end
	skynet.on_shutdown(function()
		ending = true
		print(string.format("bought: %d, failed: %d, the slowest took %.2f s", bought, failed, latest / 100))
		print "front is done"
	end)
end)
