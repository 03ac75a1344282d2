-- Reads the protocol once, for all services of the node.
local skynet = require "skynet"
local sprotoparser = require "sprotoparser"
local sprotoloader = require "sprotoloader"
local messages = require "messages"

skynet.start(function()
	sprotoloader.save(sprotoparser.parse(messages.from_client), messages.FROM_CLIENT)
	sprotoloader.save(sprotoparser.parse(messages.from_server), messages.FROM_SERVER)
	-- The service stays, as what is shared belongs to it.
end)
