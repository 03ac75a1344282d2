-- A schema, and what tests of sproto.core assert of its messages.
local check = require "check"
local core = require "sproto.core"
local parser = require "sprotoparser"

-- What reads or writes memory that is not the message's elsewhere is an error here.
local strict = not os.getenv "SKYNET_TREE"

local bundle = parser.parse [[
.Person {
	name 0 : string
	age 1 : integer
	marital 2 : boolean
	children 3 : *Person
}
.Data {
	numbers 0 : *integer
	bools 1 : *boolean
	number 2 : integer
	bignumber 3 : integer
	double 4 : double
	doubles 5 : *double
	fpn 6 : integer(2)
	fpns 7 : *integer(3)
	text 8 : string
	texts 9 : *string
	raw 10 : binary
}
.Gaps {
	a 1 : integer
	b 5 : string
	c 6 : boolean
	d 200 : integer
}
.Item {
	id 0 : integer
	name 1 : string
}
.Count {
	key 0 : string
	value 1 : *integer
}
.Pair {
	key 0 : integer
	value 1 : string
}
.Maps {
	items 0 : *Item(id)
	counts 1 : *Count()
	pairs 2 : *Pair()
	list 3 : *Item
}
.Empty {
}
.Deep {
	next 0 : Deep
	value 1 : integer
}
.Holder {
	empty 0 : Empty
	empties 1 : *Empty
	item 2 : Item
}

login 1 {
	request Item
	response Person
}
ping 3 {
	request {
		what 0 : string
	}
}
quit 5 {
	response nil
}
blank 6 {}
tell 9 {
	response Item
}
]]

local schema = core.newproto(bundle)

local function type_of(name)
	return assert(core.querytype(schema, name), name)
end

local function bytes(digits)
	return (digits:gsub("%s", ""):gsub("..", function(pair)
		return string.char(tonumber(pair, 16))
	end))
end

local function hex(text)
	return (text:gsub(".", function(byte)
		return string.format("%02x", byte:byte())
	end))
end

-- The message of a value, which decodes to the same value again.
local function encoded(name, value, expected)
	local message = core.encode(type_of(name), value)
	local result, size = core.decode(type_of(name), message)
	check.equal(size, #message)
	check.equal(result, expected or value)
	return hex(message)
end

local function expect(name, value, digits, expected)
	check.equal(encoded(name, value, expected), (digits:gsub("%s", "")))
end

return {
	strict = strict,
	bundle = bundle,
	schema = schema,
	type_of = type_of,
	bytes = bytes,
	hex = hex,
	encoded = encoded,
	expect = expect,
}
