-- Options of `http.websocket`.

local argument = require "http.argument"
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

--- What `connect` is given: what is wrong, and an option that is not known, raises, in the name of who has called that. Does not yield.
---@param url any
---@param header any
---@param timeout any
---@param options table?
function M.of_connect(url, header, timeout, options)
	argument.check(url, "text", "websocket.connect: the URL", 2)
	if not string.find(url, "^wss?://") then
		return -- who takes it apart says so
	end
	argument.check(header or {}, "table", "websocket.connect: the header", 2)
	argument.check(timeout or 0, "integer", "websocket.connect: the time limit", 2)
	optionlists.check("websocket.connect", options, CLIENT_OPTIONS, 4)
end

return M
