-- sproto: the language, messages, and requests between two ends.
local skynet = require "skynet"
local sproto = require "sproto"
local sprotoparser = require "sprotoparser"
local sprotoloader = require "sprotoloader"
local check = require "check"

local cases = {}

local TEXT <const> = [[
# a comment
.package { type 0 : integer session 1 : integer ud 2 : string }
.item {
	.part { size 0 : integer }
	name 0 : string
	price 1 : integer(2)
	parts 2 : *part
	bytes 3 : binary
	ratio 4 : double
	by_name 5 : *item(name)
	map 6 : *pair()
}
.pair { key 0 : string value 1 : integer }
get 1 { request { name 0 : string } response item }
done 2 { response nil }
note 3 { request item }
]]

local ITEM <const> = {
	name = "x",
	price = 1.25,
	parts = { { size = 1 }, { size = 2 } },
	bytes = "\0\1",
	ratio = 0.5,
	by_name = { y = { name = "y" } },
	map = { a = 1, b = 2 },
}

function cases.messages_hold_their_values()
	local sp = sproto.parse(TEXT)
	check.equal((sp:decode("item", sp:encode("item", ITEM))), ITEM)
	check.equal((sp:pdecode("item", sp:pencode("item", ITEM))), ITEM)
	check.equal(sp:exist_type "item.part", true)
	check.equal(sp:exist_type "part", false)
	check.equal(sp:exist_proto "get", true)
	check.equal(sp:exist_proto "put", false)
	check.equal({ sp:default("pair").key, sp:default("pair").value }, { "", 0 })
	check.equal(sp:default("get", "REQUEST").name, "")
	check.raises("not found", sp.queryproto, sp, "put")
	check.raises("type not found", sp.encode, sp, "zzz", {})
end

function cases.protocols_are_known_by_name_and_tag()
	local sp = sproto.parse(TEXT)
	check.equal(sp:queryproto "get", sp:queryproto(1))
	local bytes, tag = sp:request_encode("get", { name = "n" })
	check.equal(tag, 1)
	local value, name = sp:request_decode(tag, bytes)
	check.equal({ value, name }, { { name = "n" }, "get" })
	check.equal({ sp:request_encode "done" }, { "", 2 })
	check.equal(sp:response_decode("get", sp:response_encode("get", { name = "n" })), { name = "n" })
	check.equal(sp:response_encode "note", "")
end

function cases.requests_and_answers_pass_between_two_ends()
	local sp = sproto.parse(TEXT)
	local client, server = sp:host "package", sp:host "package"
	local request = client:attach(sp)
	local kind, name, value, respond, ud = server:dispatch(request("get", { name = "n" }, 7, "extra"))
	check.equal({ kind, name, value, ud }, { "REQUEST", "get", { name = "n" }, "extra" })
	check.equal(
		{ client:dispatch(respond({ name = "answer" }, "more")) },
		{ "RESPONSE", 7, { name = "answer" }, "more" }
	)
	check.raises("Unknown session", client.dispatch, client, respond {})
	kind, name, value, respond = server:dispatch(request("note", { name = "n" }))
	check.equal({ kind, name, value, respond }, { "REQUEST", "note", { name = "n" }, nil })
	_, _, _, respond = server:dispatch(request("done", nil, 8))
	check.equal({ client:dispatch(respond()) }, { "RESPONSE", 8 })
end

function cases.slots_are_shared()
	sprotoloader.save(sprotoparser.parse(TEXT), 3)
	check.equal(sprotoloader.load(3):exist_type "item", true)
	local path = os.tmpname()
	local file = io.open(path, "w")
	file:write ".only { a 0 : integer }"
	file:close()
	sprotoloader.register(path, 4)
	os.remove(path)
	check.equal(sprotoloader.load(4):exist_type "only", true)
end

function cases.the_binary_form_is_fixed()
	local bin = sprotoparser.parse ".a { b 0 : *a c 3 : boolean } p 4 { response nil }"
	local function sized(bytes)
		return string.pack("<s4", bytes)
	end
	local b = "\5\0\0\0\1\0\2\0\2\0\4\0" .. sized "b"
	local c = "\4\0\0\0\4\0\1\0\8\0" .. sized "c"
	local a = "\2\0\0\0\0\0" .. sized "a" .. sized(sized(b) .. sized(c))
	local p = "\5\0\0\0\10\0\1\0\1\0\4\0" .. sized "p"
	check.equal(bin, "\2\0\0\0\0\0" .. sized(sized(a)) .. sized(sized(p)))
	check.equal(sprotoparser.parse "", "\0\0")
end

function cases.errors_name_their_place()
	local function bad(text, problem)
		check.raises(problem, sprotoparser.parse, text, "file")
	end
	bad(".a {\n\n b 0 integer }", "syntax error at [file] line (3)")
	bad(".a { b 0 : nothing }", "Undefined type nothing in type a")
	bad(".a { b 0 : integer b 1 : integer }", "redefine b in type a")
	bad(".a { b 0 : integer c 0 : integer }", "redefine tag 0 in type a")
	bad(".a {} .a {}", "redefined a")
	bad(".a {} p 1 {} q 1 {}", "redefined protocol tag 1")
	bad("p 1 { request a }", "Undefined request type a in protocol p")
	bad("p 1 { response nil response nil } q", "syntax error")
	bad(".a { b 0 : *c() } .c { d 0 : string }", "Invalid map definition: b")
	bad(".a { b 0 : *c(x) } .c { d 0 : string }", "Invalid map index :x")
end

check.run(cases)
