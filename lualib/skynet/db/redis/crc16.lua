--- CRC-16/XMODEM (polynomial 0x1021, no reflection, from 0): the hash of Redis Cluster's keys.

local POLYNOMIAL <const> = 0x1021

local steps = {} -- top byte -> what it adds to the rest
for byte = 0, 255 do
	local crc = byte << 8
	for _ = 1, 8 do
		crc = crc & 0x8000 ~= 0 and (crc << 1) ~ POLYNOMIAL or crc << 1
	end
	steps[byte] = crc & 0xffff
end

--- The checksum of a string. Does not yield.
---@param bytes string
---@return integer 16 bits
return function(bytes)
	local crc = 0
	for i = 1, #bytes do
		crc = (crc << 8) & 0xffff ~ steps[crc >> 8 ~ string.byte(bytes, i)]
	end
	return crc
end
