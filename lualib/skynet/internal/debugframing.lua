--- Messages of the Debug Adapter Protocol on a byte stream: headers, an empty line, JSON.
---
---     local read = framing.reader(function() return socket.read(fd) end, limit)
---     local text, problem = read()       -- nil at the end; nil and a reason when it is no such stream
---     write(framing.frame(text))

local M = {}

local MOST_HEADERS <const> = 1024 -- bytes
local BEGINNING <const> = "Content-"

-- The length of the message whose headers these are, nil and the reason when they are none.
local function length_of(headers, limit)
	local length
	for line in string.gmatch(headers, "([^\r\n]*)\r\n") do
		local digits = string.match(line, "^Content%-Length: *(%d+) *$")
		if digits then
			length = #digits < 10 and math.tointeger(digits) or math.huge
		elseif not string.find(line, "^Content%-Type: ") then
			return nil, "it does not speak the Debug Adapter Protocol"
		end
	end
	if not length then
		return nil, "a message without a length"
	elseif length > limit() then
		return nil, string.format("a message of more than %d bytes", limit())
	end
	return length
end

--- A function that gives one message after the other. `more()` gives some bytes, or nil at the end; `limit()` is how long a message
--- may be.
function M.reader(more, limit)
	local rest = ""
	return function()
		local parts, have = {}, 0
		local from, to = string.find(rest, "\r\n\r\n", 1, true)
		while not from do
			local size = math.min(#rest, #BEGINNING)
			if string.sub(rest, 1, size) ~= string.sub(BEGINNING, 1, size) then
				return nil, "it does not speak the Debug Adapter Protocol"
			elseif #rest > MOST_HEADERS then
				return nil, "headers without an end"
			end
			local bytes = more()
			if not bytes then
				return nil
			end
			rest = rest .. bytes
			from, to = string.find(rest, "\r\n\r\n", 1, true)
		end
		if from > MOST_HEADERS then
			return nil, "headers without an end"
		end
		local length, problem = length_of(string.sub(rest, 1, from + 1), limit)
		if not length then
			return nil, problem
		end
		parts[1] = string.sub(rest, to + 1)
		have = #parts[1]
		while have < length do
			local bytes = more()
			if not bytes then
				return nil
			end
			parts[#parts + 1] = bytes
			have = have + #bytes
		end
		local all = table.concat(parts)
		rest = string.sub(all, length + 1)
		return string.sub(all, 1, length)
	end
end

-- JSON is UTF-8; what is a text of a service, or a part of a file, need not be.
local function in_utf8(text)
	local length, bad = utf8.len(text)
	if length then
		return text
	end
	local parts, from = {}, 1
	repeat
		parts[#parts + 1] = string.sub(text, from, bad - 1)
		from = bad + 1
		length, bad = utf8.len(text, from)
	until length
	parts[#parts + 1] = string.sub(text, from)
	return table.concat(parts, "\u{fffd}")
end

--- A message with its headers.
function M.frame(text)
	text = in_utf8(text)
	return string.format("Content-Length: %d\r\n\r\n%s", #text, text)
end

return M
