--- Tells the bytes of other protocols (TLS, SSH, a game's own) from lines that an operator types. What an attacker can make a
--- program send to the console's port, such as a browser with https, has such bytes in front of the lines that he has chosen.

-- What telnet sends between the characters (RFC 854): options are negotiated in three bytes, or in a longer part that ends
-- with IAC SE; other commands, such as the one of Ctrl-C, have two.
local function without_parts(line)
	local kept, from = {}, 1
	while true do
		local begin = string.find(line, "\xff\xfa", from, true)
		local _, stop = string.find(line, "\xff\xf0", begin and begin + 2 or #line + 1, true)
		if not stop then
			kept[#kept + 1] = string.sub(line, from)
			return table.concat(kept)
		end
		kept[#kept + 1] = string.sub(line, from, begin - 1)
		from = stop + 1
	end
end

local function without_telnet(line)
	if not string.find(line, "\xff", 1, true) then
		return line
	end
	if string.find(line, "\xff\xfa", 1, true) then
		line = without_parts(line)
	end
	line = string.gsub(line, "\xff[\xfb-\xfe].", "")
	return (string.gsub(line, "\xff[\xf0-\xff]", ""))
end

--- Whether a line has control characters other than tabs and the line ends of a text.
---@param line string
---@return boolean
return function(line)
	return string.find(without_telnet(line), "[^\t\r\n\x20-\xff]") ~= nil
end
