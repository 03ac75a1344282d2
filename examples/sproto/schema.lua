-- Reads the two files, and gives their contents to the whole node: see protocol.lua.
local skynet = require "skynet"
local sprotoloader = require "sprotoloader"

skynet.start(function()
	sprotoloader.register("examples/sproto/client.sproto", 1)
	sprotoloader.register("examples/sproto/server.sproto", 2)
	-- The service stays, as what is shared belongs to it.
end)
