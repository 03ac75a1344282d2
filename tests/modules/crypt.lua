-- skynet.crypt
local check = require "check"
local crypt = require "skynet.crypt"

local cases = {}

-- Bytes that look random, the same in each run.
local function noise(count, seed)
	local bytes = {}
	for i = 1, count do
		seed = (seed * 1103515245 + 12345) & 0x7fffffff
		bytes[i] = string.char(seed >> 16 & 0xff)
	end
	return table.concat(bytes)
end

local function hex(bytes)
	return (bytes:gsub(".", function(byte)
		return string.format("%02x", byte:byte())
	end))
end

function cases.the_module_has_its_functions()
	local names = {}
	for name in pairs(crypt) do
		names[#names + 1] = name
	end
	table.sort(names)
	check.equal(
		table.concat(names, " "),
		"base64decode base64encode desdecode desencode dhexchange dhsecret hashkey "
			.. "hexdecode hexencode hmac64 hmac64_md5 hmac_hash hmac_sha1 padding randomkey sha1 xor_str"
	)
	check.equal(crypt.padding, { iso7816_4 = 0, pkcs7 = 1 })
end

function cases.sha1_of_the_standard()
	-- FIPS 180-4 and RFC 3174.
	check.equal(hex(crypt.sha1 "abc"), "a9993e364706816aba3e25717850c26c9cd0d89d")
	check.equal(hex(crypt.sha1 ""), "da39a3ee5e6b4b0d3255bfef95601890afd80709")
	check.equal(hex(crypt.sha1(("a"):rep(1000000))), "34aa973cd4c4daa4f61eeb2bdbad27316534016f")
end

function cases.sha1_of_every_length_around_a_block()
	local all = ""
	for len = 0, 200 do
		all = all .. crypt.sha1(noise(len, len))
	end
	check.equal(hex(crypt.sha1(all)), "497789860a892654b1eff46d096c52bbb3c8c625")
end

function cases.hmac_sha1_of_the_standard()
	-- RFC 2202.
	check.equal(hex(crypt.hmac_sha1(("\x0b"):rep(20), "Hi There")), "b617318655057264e28bc0b6fb378c8ef146be00")
	check.equal(
		hex(crypt.hmac_sha1("Jefe", "what do ya want for nothing?")),
		"effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
	)
	check.equal(
		hex(crypt.hmac_sha1(("\xaa"):rep(80), "Test Using Larger Than Block-Size Key - Hash Key First")),
		"aa4ae5e15272d00e95705637ce8a3b55ed402112"
	)
	check.equal(hex(crypt.hmac_sha1("", "")), "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d")
end

function cases.des_of_the_standard()
	-- The first block is the known answer; the second one is padding.
	local key, text = crypt.hexdecode "133457799bbcdff1", crypt.hexdecode "0123456789abcdef"
	check.equal(hex(crypt.desencode(key, text)):sub(1, 16), "85e813540f0ab405")
	check.equal(crypt.base64encode(crypt.desencode("12345678", "hello world")), "KNugLrX23UcGtcVlk9y+LA==")
	check.equal(crypt.base64encode(crypt.desencode("12345678", "", crypt.padding.pkcs7)), "/rlZt9RkL8s=")
	check.equal(crypt.base64encode(crypt.desencode("12345678", "12345678", 1)), "ltACiHjVjIn+uVm31GQvyw==")
end

function cases.des_comes_back_at_every_length()
	local all = ""
	for _, padding in pairs(crypt.padding) do
		for len = 0, 600, 7 do
			local key, text = noise(8, len + 1), noise(len, len + 2)
			local encoded = crypt.desencode(key, text, padding)
			check.equal(#encoded, (len // 8 + 1) * 8)
			check.equal(crypt.desdecode(key, encoded, padding), text)
		end
	end
	local long = noise(10000, 5)
	all = crypt.sha1(crypt.desencode("\0\1\2\3\4\5\6\7", long))
	check.equal(hex(all), "fe3bf50fcd98ab6e238a6626a6cbe94f5264ee27")
end

function cases.des_refuses_what_it_cannot_use()
	check.raises("Invalid key size 7, need 8 bytes", crypt.desencode, "1234567", "text")
	check.raises("Invalid key size 9, need 8 bytes", crypt.desdecode, "123456789", "12345678")
	check.raises("Invalid des crypt text length 0", crypt.desdecode, "12345678", "")
	check.raises("Invalid des crypt text length 7", crypt.desdecode, "12345678", "1234567")
	check.raises("Invalid padding mode 2", crypt.desencode, "12345678", "text", 2)
	check.raises("Invalid padding mode -1", crypt.desdecode, "12345678", "12345678", -1)
	check.raises("bad argument #2", crypt.desencode, "12345678")
	local encoded = crypt.desencode("12345678", "text", crypt.padding.pkcs7)
	check.raises("Invalid des crypt text", crypt.desdecode, "12345678", encoded, crypt.padding.iso7816_4)
	check.raises("Invalid des crypt text", crypt.desdecode, "87654321", encoded, crypt.padding.pkcs7)
end

function cases.base64_of_the_standard()
	-- RFC 4648 §10.
	for text, encoded in pairs {
		[""] = "",
		f = "Zg==",
		fo = "Zm8=",
		foo = "Zm9v",
		foob = "Zm9vYg==",
		fooba = "Zm9vYmE=",
		foobar = "Zm9vYmFy",
	} do
		check.equal(crypt.base64encode(text), encoded)
		check.equal(crypt.base64decode(encoded), text)
	end
	for len = 0, 1000, 13 do
		local bytes = noise(len, len)
		check.equal(crypt.base64decode(crypt.base64encode(bytes)), bytes)
	end
end

function cases.base64_is_lenient()
	check.equal(crypt.base64decode "Zg", "f")
	check.equal(crypt.base64decode "Zm8", "fo")
	check.equal(crypt.base64decode "Z m\n9-v", "foo")
	check.equal(crypt.base64decode "Zg==Zm8=", "ffo")
end

function cases.base64_refuses_what_has_no_meaning()
	for _, text in ipairs { "Z", "Z===", "=Zm9", "Zm=v", "Zh==", "Zm9=", "====", "Zm9v\n", "%" } do
		check.raises("Invalid base64 text", crypt.base64decode, text)
	end
end

function cases.hexadecimal_digits()
	check.equal(crypt.hexencode "\0\x09\xab\xff", "0009abff")
	check.equal(crypt.hexdecode "0009abff", "\0\x09\xab\xff")
	check.equal(crypt.hexdecode "", "")
	local bytes = noise(1000, 3)
	check.equal(crypt.hexencode(bytes), hex(bytes))
	check.equal(crypt.hexdecode(hex(bytes)), bytes)
	check.raises("Invalid hex text size 3", crypt.hexdecode, "123")
	-- Elsewhere the letter g and those from W to Z count as digits, by mistake. Here they do not.
	for _, text in ipairs { "zz", "0 ", "AB", "\xff0" } do
		check.raises("Invalid hex text", crypt.hexdecode, text)
	end
end

function cases.xor_repeats_the_key()
	check.equal(crypt.xor_str("abcd", "\1\2"), "``bf")
	check.equal(crypt.xor_str("", "k"), "")
	local text, key = noise(1000, 8), noise(77, 9)
	check.equal(crypt.xor_str(crypt.xor_str(text, key), key), text)
	check.raises("Can't xor empty string", crypt.xor_str, "text", "")
end

function cases.hashes_of_64_bits()
	check.equal(hex(crypt.hashkey ""), "05150000a7c6674e")
	check.equal(hex(crypt.hashkey "hello"), "9930920fcbef1867")
	check.equal(hex(crypt.hmac64("12345678", "abcdefgh")), "ac9ffda9547a027a")
	check.equal(hex(crypt.hmac64_md5("12345678", "abcdefgh")), "c2a34748cf834af4")
	check.equal(hex(crypt.hmac_hash("12345678", "the text")), "049fbff1df6d15d7")
	local all = ""
	for i = 1, 100 do
		local x, y = noise(8, i), noise(8, i + 1000)
		all = all
			.. crypt.hashkey(noise(i, i))
			.. crypt.hmac64(x, y)
			.. crypt.hmac64_md5(x, y)
			.. crypt.hmac_hash(x, noise(i, 7))
	end
	check.equal(hex(crypt.sha1(all)), "81d46a89304798a130b4fdd3ee686f63b06d7b84")
	check.raises("Invalid uint64 x", crypt.hmac64, "1234567", "12345678")
	check.raises("Invalid uint64 y", crypt.hmac64_md5, "12345678", "123456789")
	check.raises("Invalid uint64 key", crypt.hmac_hash, "", "text")
end

function cases.both_sides_of_an_exchange_find_one_secret()
	check.equal(hex(crypt.dhexchange "\1\0\0\0\0\0\0\0"), "0500000000000000")
	check.equal(hex(crypt.dhexchange "12345678"), "a18e89af97222f0e")
	for i = 1, 50 do
		local a, b = noise(8, i), noise(8, i + 100)
		check.equal(crypt.dhsecret(crypt.dhexchange(a), b), crypt.dhsecret(crypt.dhexchange(b), a))
	end
	local all = ""
	for i = 1, 50 do
		all = all .. crypt.dhexchange(noise(8, i)) .. crypt.dhsecret(noise(8, i), noise(8, i + 100))
	end
	check.equal(hex(crypt.sha1(all)), "13c3da57afea66f896549d91c7b7f698e9d02405")
end

function cases.exchanges_at_the_edges_of_the_prime()
	local function word(value)
		return string.pack("<I8", value)
	end
	local prime = -59
	check.equal(crypt.dhsecret(word(prime), word(1)), word(prime))
	check.equal(crypt.dhsecret(word(prime), word(2)), word(0))
	check.equal(crypt.dhsecret(word(-1), word(1)), word(58))
	check.equal(crypt.dhsecret(word(prime - 1), word(2)), word(1))
	check.equal(crypt.dhexchange(word(prime - 1)), word(1))
	check.raises("Can't be 0", crypt.dhexchange, word(0))
	check.raises("Can't be 0", crypt.dhsecret, word(0), word(1))
	check.raises("Can't be 0", crypt.dhsecret, word(1), word(0))
	check.raises("Invalid dh uint64 key", crypt.dhexchange, "1")
	check.raises("Invalid uint64 x", crypt.dhsecret, "1", word(1))
end

function cases.large_results_that_nobody_needs_do_not_pile_up()
	local memory = require "skynet.memory"
	local text, before = ("text"):rep(250000), memory.current()
	for _ = 1, 100 do
		check.equal(#crypt.base64decode(crypt.base64encode(crypt.xor_str(text, "key"))), #text)
		assert(memory.current() - before < 64 << 20)
	end
end

function cases.random_keys_differ()
	local seen = {}
	for _ = 1, 1000 do
		local key = crypt.randomkey()
		check.equal(#key, 8)
		assert(not seen[key])
		seen[key] = true
	end
end

check.run(cases)
