-- md5.core
local check = require "check"
local md5 = require "md5.core"

local cases = {}

local function hex(bytes)
	return (bytes:gsub(".", function(byte)
		return string.format("%02x", byte:byte())
	end))
end

function cases.sums_of_the_standard()
	-- RFC 1321 A.5.
	for text, sum in pairs {
		[""] = "d41d8cd98f00b204e9800998ecf8427e",
		a = "0cc175b9c0f1b6a831c399e269772661",
		abc = "900150983cd24fb0d6963f7d28e17f72",
		["message digest"] = "f96b697d7cb7938d525a2f31aaf161d0",
		[("1234567890"):rep(8)] = "57edf4a22be3c955ac49da2e2107b67a",
	} do
		check.equal(hex(md5.sum(text)), sum)
	end
end

function cases.sums_of_every_length_around_a_block()
	local all = ""
	for len = 0, 200 do
		all = all .. md5.sum(("x"):rep(len))
	end
	check.equal(hex(md5.sum(all)), "85a5e659ef84b20587f1e9a409ab70c7")
end

function cases.exclusive_or()
	check.equal(md5.exor("abc", "\1\2\3"), "```")
	check.equal(md5.exor("", ""), "")
	local long = ("0123"):rep(1000)
	check.equal(md5.exor(md5.exor(long, long:reverse()), long:reverse()), long)
	check.raises("lengths must be equal", md5.exor, "abc", "ab")
end

function cases.texts_come_back()
	for len = 0, 400, 3 do
		local text, key, seed = ("abcdefg"):rep(60):sub(1, len), ("k"):rep(len % 257), ("s"):rep(len % 17)
		local hidden = md5.crypt(text, key, seed)
		check.equal(hidden:sub(1, #seed + 1), string.char(#seed) .. seed)
		check.equal(#hidden, 1 + #seed + len)
		check.equal(md5.decrypt(hidden, key), text)
	end
	check.equal(md5.decrypt(md5.crypt("text", "key"), "key"), "text")
end

function cases.hidden_texts_are_the_same_everywhere()
	check.equal(
		hex(md5.crypt("a text of some length", "key", "seed")),
		"0473656564cec53dbe59bea55693b8fde8b4007a7841287f5568"
	)
	check.equal(hex(md5.sum(md5.crypt(("text"):rep(1000), ("key"):rep(80), ""))), "deb39d450c81d66dbdde70fe1834d2fa")
end

function cases.what_cannot_be_is_refused()
	check.raises("key too long (> 256)", md5.crypt, "text", ("k"):rep(257), "seed")
	check.raises("seed too long (> 16)", md5.crypt, "text", "key", ("s"):rep(17))
	check.raises("bad argument #3", md5.crypt, "text", "key", nil)
	for _, text in ipairs { "", "\1", "\4abc", "\x11" .. ("x"):rep(20), "\x80", "\xff" } do
		check.raises("invalid cyphered string", md5.decrypt, text, "key")
	end
	check.raises("key too long (> 256)", md5.decrypt, "\0text", ("k"):rep(257))
end

check.run(cases)
