-- skynet.sha2, which only this project has, against the vectors of the standards.
local sha2 = require "skynet.sha2"
local check = require "check"

local cases = {}

local function hex(bytes)
	return (string.gsub(bytes, ".", function(byte)
		return string.format("%02x", string.byte(byte))
	end))
end

function cases.sha256_of_the_standard()
	-- FIPS 180-4, and NIST's examples.
	check.equal(hex(sha2.sha256 ""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
	check.equal(hex(sha2.sha256 "abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
	check.equal(
		hex(sha2.sha256(string.rep("a", 1000000))),
		"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
	)
end

function cases.hmac_of_rfc_4231()
	check.equal(
		hex(sha2.hmac_sha256("Jefe", "what do ya want for nothing?")),
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
	)
	check.equal(
		hex(sha2.hmac_sha256(string.rep("\xaa", 131), "Test Using Larger Than Block-Size Key - Hash Key First")),
		"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
	)
end

function cases.keys_from_passwords()
	-- RFC 6070, and the first half of the vector of RFC 7914.
	check.equal(hex(sha2.pbkdf2_sha1("password", "salt", 2)), "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957")
	check.equal(
		hex(sha2.pbkdf2_sha256("passwd", "salt", 1)),
		"55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
	)
	check.raises("bad number of iterations", sha2.pbkdf2_sha256, "x", "y", 0)
	check.raises("bad number of iterations", sha2.pbkdf2_sha256, "x", "y", 1 << 40)
	check.raises("string expected", sha2.sha256)
end

check.run(cases)
