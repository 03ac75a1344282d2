--- publicaddress(host): whether an address is one of the public Internet, as far as it tells: not for one machine or a private
--- network (RFC 1918, 3927, 4193, 6598), no wildcard, and no name.

-- First address and number of bits.
local PRIVATE <const> = {
	{ 0x00000000, 8 },
	{ 0x0a000000, 8 },
	{ 0x64400000, 10 },
	{ 0x7f000000, 8 },
	{ 0xa9fe0000, 16 },
	{ 0xac100000, 12 },
	{ 0xc0a80000, 16 },
}

local function is_private(number)
	for _, range in ipairs(PRIVATE) do
		if (number ~ range[1]) >> (32 - range[2]) == 0 then
			return true
		end
	end
	return false
end

---@param host string
---@return boolean
return function(host)
	local a, b, c, d = string.match(host, "^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
	if a then
		return not is_private(tonumber(a) << 24 | tonumber(b) << 16 | tonumber(c) << 8 | tonumber(d))
	end
	-- 2000::/3 is all that has been given out.
	return string.find(host, "^[23]%x%x%x:") ~= nil
end
