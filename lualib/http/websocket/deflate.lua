--- Compressed messages, permessage-deflate (RFC 7692): what two sides agree to, and the streams of a connection.
---
--- A side that lets its messages repeat parts of former ones (context takeover) keeps a stream for each connection, and the
--- other side, too. Where they do not, all connections of a service share one.

local skynet = require "skynet"
local extension = require "http.websocket.extension"

-- The C project has no such module.
local has_core, core = pcall(require, "skynet.deflate.core")

local M = {}
local Session = {}
Session.__index = Session

local NAME <const> = "permessage-deflate"
local MOST_BITS <const> = 15
local LEAST_BITS <const> = 9 -- the standard has 8, too; the compressor here has not

---------------------------------------------------------------- settings

local defaults =
	{ level = 6, threshold = 128, window_bits = MOST_BITS, context_takeover = false, peer_context_takeover = false }
local ranges = { level = { 1, 9 }, threshold = { 0, math.maxinteger }, window_bits = { LEAST_BITS, MOST_BITS } }

local function checked(name, value)
	local default, range = defaults[name], ranges[name]
	if default == nil then
		error(string.format("websocket: option deflate has no field %s", tostring(name)), 0)
	elseif not range and type(value) ~= "boolean" then
		error(string.format("websocket: deflate.%s has to be true or false, not %s", name, tostring(value)), 0)
	elseif range and not (math.type(value) == "integer" and value >= range[1] and value <= range[2]) then
		error(
			string.format(
				"websocket: deflate.%s has to be a number from %d to %d, not %s",
				name,
				range[1],
				range[2],
				tostring(value)
			),
			0
		)
	end
	return value
end

--- What a program wants: nil when messages are not to be compressed. Does not yield; raises.
---@param option table|boolean|nil nil: what the config says
---@return table?
function M.settings(option)
	if option == nil then
		option = skynet.getenv "websocket_deflate" == "true"
	end
	if not option then
		return nil
	elseif not has_core then
		error("websocket: messages cannot be compressed without the module skynet.deflate.core", 0)
	elseif option == true then
		return defaults
	elseif type(option) ~= "table" then
		error("websocket: option deflate has to be true, false or a table", 0)
	end
	local settings = setmetatable({}, { __index = defaults })
	for name, value in pairs(option) do
		settings[name] = checked(name, value)
	end
	return settings
end

---------------------------------------------------------------- streams

-- Compressors that connections share, by level and window; a decompressor that no message is in.
local compressors, spare = setmetatable({}, { __mode = "v" }), nil

local function shared_compressor(level, bits)
	local key = level << 8 | bits
	local compressor = compressors[key]
	if not compressor then
		compressor = core.compressor(level, bits)
		compressors[key] = compressor
	end
	return compressor
end

local function new_session(settings, bits, keep, peer_keeps)
	return setmetatable({
		level = settings.level,
		threshold = math.max(settings.threshold, 1),
		bits = bits,
		keep = keep,
		peer_keeps = peer_keeps,
	}, Session)
end

--- Makes a message small, if it is worth it. Does not yield.
---@param message string
---@return string? payload nil: it is to be sent as it is
function Session:compress(message)
	if #message < self.threshold then
		return nil
	end
	local compressor = self.compressor
	if not compressor then
		compressor = self.keep and core.compressor(self.level, self.bits) or shared_compressor(self.level, self.bits)
		self.compressor = compressor
	end
	local bytes = compressor:compress(message, self.keep)
	return (self.keep or #bytes < #message) and bytes or nil
end

--- Makes the next piece of a message large again. Does not yield.
---@param payload string of the message
---@param position integer of what is next in it: 1, or what the call before has returned
---@param most integer bytes of the piece
---@return string? piece, integer? position nil: there is no more; no piece: it is malformed
function Session:decompress(payload, position, most)
	local decompressor = self.decompressor
	if not decompressor then
		decompressor, spare = spare or core.decompressor(), nil
		self.decompressor = decompressor
	end
	return decompressor:decompress(payload, position, most)
end

--- Ends a message that was decompressed. Does not yield.
---@return boolean whole
function Session:finish()
	local decompressor = self.decompressor
	local whole = decompressor:finish(self.peer_keeps)
	if whole and not self.peer_keeps then
		self.decompressor = nil
		if spare then
			decompressor:close()
		else
			spare = decompressor
		end
	end
	return whole
end

--- Frees what the connection alone has. Does not yield.
function Session:close()
	if self.keep and self.compressor then
		self.compressor:close()
	end
	if self.decompressor then
		self.decompressor:close()
	end
end

---------------------------------------------------------------- what is agreed to

local flags = { server_no_context_takeover = true, client_no_context_takeover = true }
local windows = { server_max_window_bits = true, client_max_window_bits = true }

local function window_bits(value)
	local bits = value ~= true and string.find(value, "^[1-9]%d?$") and tonumber(value)
	return bits and bits >= 8 and bits <= MOST_BITS and bits or nil
end

-- The parameters as a table: true, or bits. Nil when one is not known, comes twice, or has a value that it must not have.
-- A client may name client_max_window_bits without a value.
local function read_parameters(list, from_client)
	local read = {}
	for _, parameter in ipairs(list) do
		local name, value = parameter.name, parameter.value
		if windows[name] and not (from_client and name == "client_max_window_bits" and value == true) then
			value = window_bits(value)
		elseif not (flags[name] or windows[name]) or value ~= true then
			return nil
		end
		if not value or read[name] then
			return nil
		end
		read[name] = value
	end
	return read
end

-- Answers an offer, or does not.
local function answer(settings, offer)
	local most = offer.server_max_window_bits or MOST_BITS
	if most < LEAST_BITS then
		return
	end
	local bits = math.min(settings.window_bits, most)
	local keep = settings.context_takeover and not offer.server_no_context_takeover
	local peer_keeps = settings.peer_context_takeover and not offer.client_no_context_takeover
	local text = NAME
	if not keep then
		text = text .. "; server_no_context_takeover"
	end
	if not peer_keeps then
		text = text .. "; client_no_context_takeover"
	end
	if offer.server_max_window_bits or bits < MOST_BITS then
		text = text .. "; server_max_window_bits=" .. bits
	end
	if math.type(offer.client_max_window_bits) then
		text = text .. "; client_max_window_bits=" .. offer.client_max_window_bits
	end
	return text, new_session(settings, bits, keep, peer_keeps)
end

--- What a server says to a client's offers. Does not yield.
---@param settings table see `settings`
---@param field string|string[] the client's Sec-WebSocket-Extensions
---@return string|false|nil answer nil: there was nothing to be agreed to; false: the field is malformed
---@return table? session
function M.answer(settings, field)
	local offers = extension.parse(field)
	if not offers then
		return false
	end
	for _, offer in ipairs(offers) do
		local parameters = offer.name == NAME and read_parameters(offer, true)
		if parameters then
			local text, session = answer(settings, parameters)
			if text then
				return text, session
			end
		end
	end
	return nil
end

--- What a client offers. Does not yield.
---@param settings table see `settings`
---@return string
function M.offer(settings)
	local bits = settings.window_bits
	return NAME
		.. "; client_max_window_bits"
		.. (bits < MOST_BITS and "=" .. bits or "")
		.. (settings.context_takeover and "" or "; client_no_context_takeover")
		.. (settings.peer_context_takeover and "" or "; server_no_context_takeover")
end

--- Reads what a server has made of the offer. Does not yield; raises when that is not allowed.
---@param settings table
---@param field string|string[] the server's Sec-WebSocket-Extensions
---@return table session
function M.agree(settings, field)
	local list = extension.parse(field)
	if not list or #list ~= 1 or list[1].name ~= NAME then
		error "websocket handshake: the server chose an extension that was not offered"
	end
	local answered = read_parameters(list[1], false)
	if not answered then
		error "websocket handshake: the server's parameters of permessage-deflate are malformed"
	elseif not (settings.peer_context_takeover or answered.server_no_context_takeover) then
		error "websocket handshake: the server does not agree to server_no_context_takeover"
	end
	local bits = math.min(settings.window_bits, answered.client_max_window_bits or MOST_BITS)
	if bits < LEAST_BITS or (answered.client_max_window_bits or bits) > settings.window_bits then
		error(
			string.format("websocket handshake: the server wants a window of %d bits", answered.client_max_window_bits)
		)
	end
	local keep = settings.context_takeover and not answered.client_no_context_takeover
	return new_session(settings, bits, keep, not answered.server_no_context_takeover)
end

return M
