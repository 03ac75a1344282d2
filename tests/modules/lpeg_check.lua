-- What tests of lpeg assert of patterns.
local check = require "check"
local lpeg = require "lpeg"

local M = {}

--- Asserts what a pattern gives for subjects: { subject = end or false }.
function M.ends(pattern, expected)
	for subject, stop in pairs(expected) do
		check.equal(lpeg.match(pattern, subject) or false, stop, ("end in %q"):format(subject))
	end
end

--- Asserts the values that a pattern captures.
function M.captures(pattern, subject, ...)
	check.equal(table.pack(lpeg.match(pattern, subject)), table.pack(...), ("captures of %q"):format(subject))
end

--- All bytes that a pattern of one byte matches.
function M.bytes(pattern)
	local found = {}
	for byte = 0, 255 do
		if lpeg.match(pattern, string.char(byte)) == 2 then
			found[#found + 1] = string.char(byte)
		end
	end
	return table.concat(found)
end

return M
