-- Options of `http.websocket`.

local optionlists = require "http.options"

local SERVER_OPTIONS <const> = {
	"upgrade",
	"protocols",
	"strict",
	"deflate",
	"message",
	"header",
	"fields",
	"handshake_time",
	"message_time",
	"idle_time",
	"close_time",
	"connections",
	"per_address",
}
local CLIENT_OPTIONS <const> = { "received", "close_time", "strict", "deflate" }

local M = {}

--- An option of `accept` that is not known makes a line of the log: programs of before these options gave it tables of their own.
--- Does not yield.
---@param options table?
function M.of_accept(options)
	optionlists.tell("websocket.accept", options, SERVER_OPTIONS)
end

--- An option of `connect` that is not known raises, in the name of who has called that. Does not yield.
---@param options table?
function M.of_connect(options)
	optionlists.check("websocket.connect", options, CLIENT_OPTIONS, 4)
end

return M
