-- What tests of bson make documents of, and read them with.
local check = require "check"
local bson = require "bson"

-- What another implementation takes and ruins the document with is an error here.
local strict = not os.getenv "SKYNET_TREE"

local function hex(document)
	return (tostring(document):gsub(".", function(byte)
		return string.format("%02x", byte:byte())
	end))
end

-- A document of one element: its type, its name and the bytes of its value in hexadecimal.
local function document(kind, name, value)
	local body = string.format("%02x", kind) .. hex(name) .. "00" .. value .. "00"
	return hex(string.pack("<i4", #body // 2 + 4)) .. body
end

local function bytes(digits)
	return (digits:gsub("..", function(pair)
		return string.char(tonumber(pair, 16))
	end))
end

-- There is no other way to a document with arbitrary bytes than through the pointer of a reply.
local function decode(digits)
	local driver = require "skynet.mongo.driver"
	local raw = bytes(digits)
	local size = string.unpack("<i4", raw)
	local reply = string.pack("<i4i4i4i4B", 1, 0, 2013, 0, 0) .. raw
	local ok, _, pointer = driver.reply(reply)
	check.equal(ok, true)
	check.equal(size, #raw, "length of the test's document")
	return bson.decode(pointer), reply
end

local function round(value)
	return bson.encode({ v = value }):decode().v
end

return {
	strict = strict,
	hex = hex,
	document = document,
	bytes = bytes,
	decode = decode,
	round = round,
}
