-- First service of both nodes. Its argument says which one this is: "db" keeps the scores, "game" uses them.
local skynet = require "skynet"
require "skynet.manager" -- skynet.abort
local cluster = require "skynet.cluster"
local nodes = require "nodes"

local node = ...
local start = {}

function start.db()
	local scores = skynet.newservice "scores"
	cluster.register("scores", scores) -- other nodes call it "@scores"
	cluster.open "db" -- listens where lualib/nodes.lua says
	print "node db is ready"
end

function start.game()
	cluster.open "game"
	-- A call to another node looks like one to a service here. An error over there is one here, and so is a node that is down.
	local ok, points = pcall(cluster.call, "db", "@scores", "add", "Alice", 10)
	if ok then
		print("Alice has", points)
	else
		print("node db does not answer; start it with `skynet config.db`:", points)
	end
	print "node game is done"
	skynet.abort()
end

skynet.start(function()
	cluster.reload(nodes)
	local run = start[node or "game"] or error("there is no node " .. node .. ": db or game")
	run()
end)
