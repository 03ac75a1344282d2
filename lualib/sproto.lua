--- sproto: compact messages with types, and requests with answers on top of them.
---
---     local sp = sproto.parse [[
---         .package { type 0 : integer  session 1 : integer }
---         ping 1 { request { what 0 : string } response { ok 0 : boolean } }
---     ]]
---     local bytes = sp:encode("ping.request", { what = "x" })
---
---     local host = sp:host "package"                 -- both ends of a connection have one
---     local request = host:attach(peer_types)        -- makes messages for the other end
---     send(request("ping", { what = "foo" }, 1))     -- session 1: an answer is expected
---     local kind, name, args, respond = host:dispatch(received)

local core = require "sproto.core"

local encode, decode, pack, unpack = core.encode, core.decode, core.pack, core.unpack

---@class sproto
local sproto = {}

--- pack(bytes) -> bytes: the zero packing of messages.
---@type fun(bytes: string): string
sproto.pack = pack
--- unpack(bytes | pointer, size) -> bytes: undoes `pack`.
---@type fun(bytes: string|lightuserdata, size: integer?): string
sproto.unpack = unpack

-- A sproto object: __cobj, the types of the C module; __tcache, types by name; __pcache, protocols by
-- name and by tag.
local owner_meta = {
	__index = sproto,
	__gc = function(self)
		core.deleteproto(self.__cobj)
	end,
}
local shared_meta = { __index = sproto }

local function wrap(types, meta)
	return setmetatable({
		__cobj = types,
		__tcache = {},
		__pcache = {},
	}, meta)
end

--- Types from their binary form. Does not yield.
---@param bin string what sprotoparser made
---@return sproto types. Raises when the bytes are no types
function sproto.new(bin)
	return wrap(assert(core.newproto(bin), "invalid sproto types"), owner_meta)
end

--- Types that are shared (sprotoloader): they are not freed here.
---@param types lightuserdata
---@return sproto types
function sproto.sharenew(types)
	return wrap(types, shared_meta)
end

--- Types from their text. Does not yield.
---@param text string in sproto's language
---@return sproto types. Raises on errors in the text
function sproto.parse(text)
	return sproto.new(require "sprotoparser".parse(text))
end

---------------------------------------------------------------- types

local function find_type(self, name)
	local found = self.__tcache[name]
	if not found then
		found = assert(core.querytype(self.__cobj, name), "type not found")
		self.__tcache[name] = found
	end
	return found
end

--- Whether there is a type of that name.
---@param name string
---@return boolean
function sproto:exist_type(name)
	return (self.__tcache[name] or core.querytype(self.__cobj, name)) ~= nil
end

--- A message of a type. Raises when a value does not fit its field.
---@param typename string
---@param value table
---@return string bytes
function sproto:encode(typename, value)
	return encode(find_type(self, typename), value)
end

--- The values of a message.
---@param typename string
---@param ... string|lightuserdata bytes, or pointer and size; and a table to fill, if wanted
---@return table value, integer size bytes used
function sproto:decode(typename, ...)
	return decode(find_type(self, typename), ...)
end

--- `encode` and `pack`.
---@param typename string
---@param value table
---@return string bytes
function sproto:pencode(typename, value)
	return pack(encode(find_type(self, typename), value))
end

--- `unpack` and `decode`.
---@param typename string
---@param ... string|lightuserdata bytes, or pointer and size
---@return table value, integer size bytes used
function sproto:pdecode(typename, ...)
	return decode(find_type(self, typename), unpack(...))
end

---------------------------------------------------------------- protocols

--- A protocol by name or tag: { name, tag, request = type, response = type }.
local function queryproto(self, key)
	local protocol = self.__pcache[key]
	if protocol then
		return protocol
	end
	-- The C module answers a name's tag, and a tag's name.
	local other, request, response = core.protocol(self.__cobj, key)
	assert(other, key .. " not found")
	local name, tag = key, other
	if type(key) == "number" then
		name, tag = other, key
	end
	protocol = { name = name, tag = tag, request = request, response = response }
	self.__pcache[name], self.__pcache[tag] = protocol, protocol
	return protocol
end

sproto.queryproto = queryproto

--- Whether there is a protocol of that name or tag.
---@param key string|integer name or tag
---@return boolean
function sproto:exist_proto(key)
	return (self.__pcache[key] or core.protocol(self.__cobj, key)) ~= nil
end

--- The message of a request.
---@param name string|integer name or tag
---@param value table?
---@return string bytes empty when the protocol's request has no values
---@return integer tag
function sproto:request_encode(name, value)
	local protocol = queryproto(self, name)
	return protocol.request and encode(protocol.request, value) or "", protocol.tag
end

--- The message of an answer.
---@param name string|integer name or tag
---@param value table?
---@return string bytes
function sproto:response_encode(name, value)
	local response = queryproto(self, name).response
	return response and encode(response, value) or ""
end

--- The values of a request.
---@param key string|integer name or tag
---@param ... string|lightuserdata bytes, or pointer and size; and a table to fill, if wanted
---@return table? value, string name
function sproto:request_decode(key, ...)
	local protocol = queryproto(self, key)
	return protocol.request and decode(protocol.request, ...) or nil, protocol.name
end

--- The values of an answer.
---@param key string|integer name or tag
---@param ... string|lightuserdata bytes, or pointer and size; and a table to fill, if wanted
---@return table? value
function sproto:response_decode(key, ...)
	local response = queryproto(self, key).response
	if response then
		return decode(response, ...)
	end
end

--- A table with the default values of a type, or of a protocol's request or response.
---@param name string of a type, or of a protocol
---@param part "REQUEST"|"RESPONSE"|nil
---@return table?
function sproto:default(name, part)
	if part == nil then
		return core.default(find_type(self, name))
	end
	local protocol = queryproto(self, name)
	local wanted
	if part == "REQUEST" then
		wanted = protocol.request
	elseif part == "RESPONSE" then
		wanted = protocol.response
	else
		error "Invalid type"
	end
	return wanted and core.default(wanted)
end

---------------------------------------------------------------- host

---@class sproto.Host
local Host = {}
local host_meta = { __index = Host }

--- One end of a connection.
---@param package string? the type of the header, with the fields type, session and (optional) ud; "package"
---@return sproto.Host host
function sproto:host(package)
	return setmetatable({
		__proto = self,
		__package = assert(core.querytype(self.__cobj, package or "package"), "type package not found"),
		__session = {}, -- session -> type of the answer, or true: it has no values
	}, host_meta)
end

local header = {} -- filled for each message anew

local function message(host, tag, session, ud, body_type, body)
	header.type, header.session, header.ud = tag, session, ud
	local bytes = encode(host.__package, header)
	if body_type then
		bytes = bytes .. encode(body_type, body)
	end
	return pack(bytes)
end

--- Reads a message.
---@param ... string|lightuserdata bytes, or pointer and size
---@return string kind
---@return any ... "REQUEST": name, value, respond, ud, where respond(value, ud) makes the answer's
--- bytes and is nil when none is expected. "RESPONSE": session, value, ud
function Host:dispatch(...)
	local bytes = unpack(...)
	header.type, header.session, header.ud = nil, nil, nil
	local _, size = decode(self.__package, bytes, header)
	local tag, session, ud = header.type, header.session, header.ud
	local body = string.sub(bytes, size + 1)
	if tag then
		local protocol = queryproto(self.__proto, tag)
		local value = protocol.request and decode(protocol.request, body) or nil
		local respond = session
				and function(answer, answer_ud)
					return message(self, nil, session, answer_ud, protocol.response, answer)
				end
			or nil
		return "REQUEST", protocol.name, value, respond, ud
	end
	assert(session, "session not found")
	local expected = assert(self.__session[session], "Unknown session")
	self.__session[session] = nil
	if expected == true then
		return "RESPONSE", session, nil, ud
	end
	return "RESPONSE", session, (decode(expected, body)), ud
end

--- The function that makes requests for the other end.
---@param types table sproto object of the other end
---@return fun(name: string, value: table?, session: integer?, ud: any): string bytes an answer is expected when
--- there is a session
function Host:attach(types)
	return function(name, value, session, ud)
		local protocol = queryproto(types, name)
		local bytes = message(self, protocol.tag, session, ud, protocol.request, value)
		if session then
			self.__session[session] = protocol.response or true
		end
		return bytes
	end
end

return sproto
