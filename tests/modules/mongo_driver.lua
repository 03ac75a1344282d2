-- skynet.mongo.driver
local check = require "check"
local bson = require "bson"
local driver = require "skynet.mongo.driver"

local cases = {}

local strict = not os.getenv "SKYNET_TREE"

local function reply(section, flags, opcode)
	return string.pack("<i4i4i4i4", 100, 77, opcode or 2013, flags or 0) .. section
end

function cases.a_request_is_a_header_and_a_document()
	local document = bson.encode_order("ping", 1)
	local message = driver.op_msg(5, 0, document)
	check.equal(message, string.pack("<i4i4i4i4i4B", 21 + #document, 5, 0, 2013, 0, 0) .. tostring(document))
	check.equal(
		driver.op_msg(-1, 2, bson.to_lightuserdata(document)),
		string.pack("<i4i4i4i4i4B", 21 + #document, -1, 0, 2013, 2, 0) .. tostring(document)
	)
	local large = bson.encode { text = ("x"):rep(100000) }
	check.equal(#driver.op_msg(1, 0, large), 21 + #large)
	check.raises("opmsg require cmd document", driver.op_msg, 1, 0)
	check.raises("opmsg require cmd document", driver.op_msg, 1, 0, "text")
	check.raises("number expected", driver.op_msg, "x", 0, document)
end

function cases.the_length_counts_itself()
	check.equal(driver.length(string.pack("<i4", 36)), 32)
	check.equal(driver.length(string.pack("<i4", 4)), 0)
	check.equal(driver.length(string.pack("<i4", 0x7fffffff)), 0x7ffffffb)
end

function cases.a_reply_is_a_number_and_a_document()
	local document = bson.encode { ok = 1, list = { 1, 2 } }
	for _, flags in ipairs { 0, 2 } do
		local text = reply("\0" .. tostring(document), flags)
		local ok, request, pointer = driver.reply(text)
		check.equal(ok, true)
		check.equal(request, 77)
		check.equal(type(pointer), "userdata")
		check.equal(bson.decode(pointer), { ok = 1, list = { 1, 2 } })
	end
end

function cases.other_replies_are_refused()
	local document = tostring(bson.encode { ok = 1 })
	check.equal({ driver.reply "" }, { false })
	check.equal({ driver.reply(("x"):rep(15)) }, { false })
	check.raises("Unsupported opcode:1", driver.reply, reply("\0" .. document, 0, 1))
	check.raises("Unsupported OP_MSG flag checksumPresent", driver.reply, reply("\0" .. document, 1))
	check.raises("Unsupported OP_MSG flag:65536", driver.reply, reply("\0" .. document, 65536))
	check.raises("Unsupported OP_MSG payload type: 1", driver.reply, reply("\1" .. document))
	check.raises("Unsupported OP_MSG reply: >1 section", driver.reply, reply("\0" .. document .. "\0" .. document))
	check.raises("Unsupported OP_MSG reply: >1 section", driver.reply, reply("\0" .. document:sub(1, -2)))
end

if strict then
	-- Elsewhere these read what follows the string, or give the pointer to a document that is not there.
	function cases.short_strings_are_refused()
		check.raises("Invalid message length", driver.length, "abc")
		check.raises("Invalid message length: 3", driver.length, "\3\0\0\0")
		check.raises("Invalid message length: -1", driver.length, "\255\255\255\255")
		for size = 0, 5 do
			check.raises("Unsupported OP_MSG reply: >1 section", driver.reply, reply(("\0"):rep(size)))
		end
	end
end

check.run(cases)
