--- MD5: `sum`, `exor`, `crypt`, `decrypt` of the C module, `sumhexa` and `hmacmd5`.

---@class md5
local md5 = require "md5.core"

local BLOCK <const> = 64

--- The digest as text. Does not yield.
---@param text string
---@return string 32 lower-case hexadecimal digits
function md5.sumhexa(text)
	return (string.gsub(md5.sum(text), ".", function(byte)
		return string.format("%02x", string.byte(byte))
	end))
end

local function xor_pad(key, byte)
	local pad = string.gsub(key, ".", function(char)
		return string.char(string.byte(char) ~ byte)
	end)
	return pad .. string.rep(string.char(byte), BLOCK - #key)
end

--- HMAC with MD5 (RFC 2104) as text. Does not yield.
---@param data string
---@param key string
---@return string 32 lower-case hexadecimal digits
function md5.hmacmd5(data, key)
	if #key > BLOCK then
		key = md5.sum(key)
	end
	return md5.sumhexa(xor_pad(key, 0x5c) .. md5.sum(xor_pad(key, 0x36) .. data))
end

return md5
