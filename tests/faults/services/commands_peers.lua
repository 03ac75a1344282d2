-- Other nodes and servers.

local skynet = require "skynet"

local M = {}

function M.cluster_open(port)
	local cluster = require "skynet.cluster"
	cluster.reload { peer = "127.0.0.1:" .. port }
	cluster.register("echo", skynet.newservice "echo")
	cluster.open "peer"
	return "open"
end

function M.cluster_peer(port, heartbeat)
	local cluster = require "skynet.cluster"
	cluster.reload { peer = "127.0.0.1:" .. port, __heartbeat = math.tointeger(tonumber(heartbeat)) }
	return "known"
end

function M.cluster_call(text)
	return require "skynet.cluster".call("peer", "@echo", text)
end

local db

function M.redis_connect(port)
	db = require "skynet.db.redis".connect { host = "127.0.0.1", port = math.tointeger(tonumber(port)) }
	return "connected"
end

function M.redis_get(key)
	return db:get(key)
end

function M.harbor_register(name)
	require "skynet.manager"
	skynet.name(name, skynet.newservice "echo")
	return name
end

function M.harbor_call(name)
	return skynet.call(require "skynet.harbor".queryname(name), "lua", "here")
end

return M
