--- A text of a stranger as it may stand in a line of the log: control characters, line ends above all, as "\x0a", and not
--- longer than a line ought to be. So a stranger can neither write lines of his own, nor steer the operator's terminal.

local MOST <const> = 256 -- bytes that are shown

local function escape(byte)
	return string.format("\\x%02x", string.byte(byte))
end

---@param text any
---@param most integer? bytes that are shown, 256 by default
---@return string
return function(text, most)
	text, most = tostring(text), most or MOST
	local shown = string.gsub(string.sub(text, 1, most), "[%c\x7f]", escape)
	-- C1 controls in UTF-8: some terminals obey them.
	shown = string.gsub(shown, "\xc2([\x80-\x9f])", function(byte)
		return "\\xc2" .. escape(byte)
	end)
	if #text > most then
		return string.format("%s... (%d bytes)", shown, #text)
	end
	return shown
end
