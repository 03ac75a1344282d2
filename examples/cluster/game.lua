-- Node game: uses the scores of node db as if they were here.
local skynet = require "skynet"
require "skynet.manager" -- skynet.abort
local cluster = require "skynet.cluster"

local news = {} -- waits for the text that the other node sends

local function play()
	print("Alice has", cluster.call("db", "@scores", "add", "Alice", 10))
	print("Bob has", cluster.call("db", "@scores", "add", "Bob", 7))
	print("Alice has", cluster.call("db", "@scores", "add", "Alice", 5))

	-- An error over there is an error here; its text is in the log of the other node.
	print("accepted:", (pcall(cluster.call, "db", "@scores", "add", "Bob", "many")))

	-- A proxy is a service of this node that passes everything on: for code that knows only addresses.
	local scores = cluster.proxy("db", "@scores")
	skynet.send(scores, "lua", "add", "Bob", 100)
	print("Bob has", skynet.call(scores, "lua", "get", "Bob"))

	while news.best ~= 107 do
		skynet.wait(news)
	end
	print "the news have come too"
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, what, player, best)
		if what == "best" then
			print("news from db:", player, "leads with", best)
			news.best = best
			skynet.wakeup(news)
		end
	end)
	cluster.register "board" -- this service
	cluster.open "game"
	play()
	pcall(cluster.call, "db", "@scores", "shutdown") -- its answer may not make it
	print "cluster is done"
	skynet.abort()
end)
