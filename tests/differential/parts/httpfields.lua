-- Fields of HTTP headers: the case of their names, fields that come several times, tables as values; read and written, by both sides.
local httpd = require "http.httpd"
local internal = require "http.internal"
local sweep = require "sweep"

local case = sweep.case

local LIMIT <const> = 5000

-- A reader and a writer, as `sockethelper` makes them of a socket.
local function reader(text)
	local at = 1
	return function(size)
		if at > #text then
			error "the end"
		end
		local part = string.sub(text, at, size and at + size - 1 or #text)
		at = at + #part
		return part
	end
end

-- The lines of a header in an order that is always the same: a table has none.
local function lines_of(text)
	local head, body = string.match(text, "^(.-)\r\n\r\n(.*)$")
	if not head then
		return text
	end
	local lines = {}
	for line in string.gmatch(head, "[^\r\n]+") do
		lines[#lines + 1] = line
	end
	local first = table.remove(lines, 1)
	table.sort(lines)
	return first, lines, body
end

local received <const> = {
	["names in capitals"] = "HOST: x\r\nX-TEST: a",
	["names in mixed letters"] = "hOsT: x\r\nx-TeSt: a",
	["twice"] = "X-Test: a\r\nX-Test: b",
	["twice, in other letters"] = "X-Test: a\r\nx-test: b",
	["three times, in other letters"] = "X-Test: a\r\nX-TEST: b\r\nx-test: c",
	["twice, with another between"] = "X-Test: a\r\nOther: o\r\nx-TEST: b",
	["cookies twice"] = "Cookie: a=1\r\ncookie: b=2",
	["host twice"] = "Host: x\r\nhost: y",
	["empty value"] = "X-Test:\r\nOther: o",
	["empty value with a blank"] = "X-Test: \r\nOther: o",
	["no blank before the value"] = "X-Test:a",
	["blanks inside of the value"] = "X-Test: a  b",
	["colons in the value"] = "X-Test: a:b: c",
	["value of other bytes"] = "X-Test: \xe5\x90\x8d",
	["digits and signs in the name"] = "X_1.2~: a",
}

local bodies <const> = {
	["length in capitals"] = "CONTENT-LENGTH: 3\r\n\r\nabc",
	["length in small letters"] = "content-length: 3\r\n\r\nabc",
	["coding in capitals"] = "TRANSFER-ENCODING: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	["coding in small letters"] = "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	["trailer in capitals"] = "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-LAST: z\r\n\r\n",
	["word of the coding in capitals"] = "Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
}

-- What a program gives to be sent. "of the own": fields that are made by themselves otherwise.
local given <const> = {
	["name in capitals"] = { ["X-TEST"] = "a" },
	["name in mixed letters"] = { ["x-TeSt"] = "a" },
	["one name in two ways"] = { ["X-Test"] = "a", ["x-test"] = "b" },
	["list"] = { ["X-Test"] = { "a", "b" } },
	["list of one"] = { ["X-Test"] = { "a" } },
	["empty list"] = { ["X-Test"] = {}, other = "o" },
	["list of numbers"] = { ["X-Test"] = { 1, 2.5 } },
	["list in a list"] = { ["X-Test"] = { "a", { "b" } } },
	["number"] = { ["X-Test"] = 5 },
	["float"] = { ["X-Test"] = 2.0 },
	["true"] = { ["X-Test"] = true },
	["false"] = { ["X-Test"] = false },
	["empty text"] = { ["X-Test"] = "" },
	["name that is a number"] = { [5] = "a" },
	["length of the own"] = { ["Content-Length"] = "3" },
	["length of the own in small letters"] = { ["content-length"] = 3 },
	["host of the own"] = { ["Host"] = "mine" },
	["host of the own in small letters"] = { ["host"] = "mine" },
	["host of the own in capitals"] = { ["HOST"] = "mine" },
}

-- A name that stands for itself: where one is a table's or a function's, its address would be told.
local function told(...)
	local results = table.pack(...)
	return results
end

local function reading()
	for name, fields in pairs(received) do
		case("http.httpd.read_request fields", name, function()
			local code, url, method, header =
				httpd.read_request(reader("GET / HTTP/1.1\r\n" .. fields .. "\r\n\r\n"), LIMIT)
			return code, url, method, header
		end)
		case("http.internal.parseheader fields", name, function()
			local lines = {}
			internal.recvheader(reader(fields .. "\r\n\r\n"), lines, "")
			return internal.parseheader(lines, 1, {})
		end)
	end
	for name, rest in pairs(bodies) do
		case("http.httpd.read_request fields", name, function()
			return httpd.read_request(reader("POST / HTTP/1.1\r\n" .. rest), LIMIT)
		end)
		case("http.internal.response fields", name, function()
			local interface = { read = reader("HTTP/1.1 200 OK\r\n" .. rest), write = function() end }
			local header = {}
			local code, body = internal.request(interface, "GET", "host", "/", header)
			return code, internal.response(interface, code, body, header), header
		end)
	end
end

local function writing()
	for name, fields in pairs(given) do
		case("http.httpd.write_response fields", name, function()
			local parts = {}
			local results = told(httpd.write_response(function(text)
				parts[#parts + 1] = text
			end, 200, "abc", fields))
			return results, lines_of(table.concat(parts))
		end)
		case("http.internal.request fields", name, function()
			local parts = {}
			local interface = {
				read = reader "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
				write = function(text)
					parts[#parts + 1] = text
				end,
			}
			internal.request(interface, "GET", "host", "/", {}, fields, "abc")
			return lines_of(table.concat(parts))
		end)
	end
end

return function()
	reading()
	writing()
end
