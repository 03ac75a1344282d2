-- What `http.server` is told of a connection: its handler, and the options with their limits.

local limits = require "http.limits"
local optionlists = require "http.options"

local KNOWN <const> = {
	"address",
	"protocol",
	"stream",
	"header",
	"fields",
	"body",
	"idle_time",
	"header_time",
	"body_time",
	"requests",
	"connections",
	"per_address",
}

-- The bytes that a handler may read of a body, as the option `stream` says; nil: the body is read before.
local function streamed(option, held)
	if option == true then
		return held.body
	elseif math.type(option) == "integer" and option >= 0 then
		return option == 0 and math.maxinteger or option
	elseif option then
		error(string.format("option stream has to be true, or a number of at least 0, not %s", tostring(option)), 0)
	end
end

--- The limits of a connection. Raises for what is no handler, and for options that are wrong. Does not yield.
---@param handler any
---@param options table?
---@return table held
---@return table options
return function(handler, options)
	local meta = getmetatable(handler)
	if type(handler) ~= "function" and not (type(meta) == "table" and meta.__call) then
		local text = "server.serve: the handler is a function, or a router of http.router's new(), not %s"
		error(string.format(text, tostring(handler)), 0)
	end
	options = optionlists.check("server.serve", options, KNOWN)
	local held = limits.of("http", options)
	held.stream = streamed(options.stream, held)
	return held, options
end
