--- What a handler can ask a request for, beside its fields. Each is made when it is first asked for.

local argument = require "http.argument"
local aborts = require "http.abort"
local cookies = require "http.cookie"
local fields = require "http.fields"
local urllib = require "http.url"

local find, sub, match = string.find, string.sub, string.match

local object = {}

---@class http.server.Request
---@field method string
---@field target string path and query, as they came
---@field version string "1.1" or "1.0"
---@field header table<string, string|string[]> names in small letters
---@field body string
---@field trailers table? fields behind the body
---@field id integer the socket: who asks for it and returns nothing has taken the connection over
---@field unread string what came behind the request; to be asked for once, by who takes the connection over
---@field address string? of the client
---@field path string? of the target, as it came; nil when the target has none
---@field query table<string, string|string[]> fields of the query; one that comes several times is a list
---@field cookies table<string, string>
---@field params table<string, string> of the route, decoded
---@field route string? pattern of the route, as "/users/:id"
---@field problem any behind a http.router, what a handler has raised, of which the router has made a 500
local Request = {}

--- The path of a target, which may be a whole URL. Does not yield.
---@param target string
---@return string? path as it came; "*"; nil for none
function object.path(target)
	if string.byte(target) ~= 47 then
		local rest = match(target, "^%a[%w+.-]*://[^/?#]*(.*)$")
		if not rest then
			return target == "*" and target or nil
		end
		target = string.byte(rest) == 47 and rest or "/" .. rest
	end
	local mark = find(target, "?", 1, true)
	return mark and sub(target, 1, mark - 1) or target
end

---------------------------------------------------------------- fields that are made

local made = {}

function made.path(request)
	return object.path(request.target)
end

function made.query(request)
	local mark = find(request.target, "?", 1, true)
	local query, problem = urllib.parse_query(mark and sub(request.target, mark + 1) or "")
	if problem then
		aborts.raise(400, problem .. "\n")
	end
	return query
end

function made.cookies(request)
	return cookies.parse(request.header.cookie)
end

function made.body(request)
	local reader = rawget(request, "reader")
	return reader and reader:all() or ""
end

---------------------------------------------------------------- methods

--- The next piece of the body. With the option `stream` of `server.serve` it is what has come, and the client sends no faster than
--- its pieces are asked for; without it the body is there as a whole. Yields.
---@param count integer? the most bytes; nil: 64 KiB
---@return string? piece nil at the end. A body that is malformed or too large is answered with 400 or 413
function Request:read(count)
	local reader = rawget(self, "reader")
	if reader then
		return reader:read(count)
	end
	argument.check(count or 0, "integer", "read: the count")
	local at = rawget(self, "at") or 1
	if at > #self.body then
		return nil
	end
	local piece = sub(self.body, at, at + (count or 64 * 1024) - 1)
	self.at = at + #piece
	return piece
end

--- An iterator over the pieces of the body: `for piece in request:pieces() do file:write(piece) end`.
---@param count integer? as of `read`
---@return fun(): string?
function Request:pieces(count)
	argument.check(count or 0, "integer", "pieces: the count")
	return function()
		return self:read(count)
	end
end

--- Takes no more than so many bytes as body from now on. A larger one is answered with 413. Does not yield.
---@param most integer
function Request:limit(most)
	argument.check(most, "integer", "limit: the most bytes")
	local reader = rawget(self, "reader")
	local length = math.tointeger(tonumber(self.header["content-length"]))
	if reader then
		reader:restrict(most)
	end
	if (length and length > most) or (not reader and #self.body > most) then
		aborts.raise(413, string.format("the body has more than %d bytes\n", most))
	end
end

--- The answer that sends events to the client until it or `produce` ends (server-sent events): see [http.events](#httpevents).
--- Does not yield.
---@param produce fun(send: http.events.Send) runs in a task of its own
---@param options table? see http.events
---@return integer code, table body, table header
function Request:events(produce, options)
	return require "http.events".answer(self, produce, options)
end

local strict_json -- a module of its own, as the service may have set `cjson` to take more

-- Numbers of RFC 8259 only: no comparison of a handler holds for NaN.
local function decode_json(text)
	if not strict_json then
		strict_json = require "cjson.safe".new()
		strict_json.decode_invalid_numbers(false)
	end
	return strict_json.decode(text)
end

--- The body as JSON, of any content-type. What is none, or no UTF-8, is answered with 400. Yields only where the body is
--- a stream.
---@return any value null is `cjson.null`
function Request:json()
	local body = self.body
	if not fields.utf8(body) then
		aborts.raise(400, "the body is not UTF-8\n")
	end
	local value, problem = decode_json(body)
	if value == nil then
		aborts.raise(400, string.format("the body is no JSON: %s\n", problem))
	end
	return value
end

--- The body as a form (`application/x-www-form-urlencoded`). Another content-type is answered with 415, too many fields with
--- 400. Yields only where the body is a stream.
---@return table<string, string|string[]> fields one that comes several times is a list
function Request:form()
	local kind = self.header["content-type"]
	if kind and not find(string.lower(tostring(kind)), "^application/x%-www%-form%-urlencoded%f[;%s\0]") then
		aborts.raise(415, "the body has to be application/x-www-form-urlencoded\n")
	end
	local form, problem = urllib.parse_query(self.body)
	if problem then
		aborts.raise(400, problem .. "\n")
	end
	return form
end

--- Raises an answer, from however deep; middleware sees it as one that was returned. Does not return.
---@param code integer
---@param body (string|table)? a table is sent as JSON; nil: the phrase of the code
---@param header table?
function Request:abort(code, body, header)
	aborts.raise(code, body, header)
end

local REDIRECTIONS <const> = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

--- The answer that sends the client elsewhere: `return request:redirect("/login")`. Blanks and what is no ASCII are
--- percent-encoded. Does not yield.
---@param location string
---@param code integer? 301, 302, 303, 307, 308; nil: 302, or 303 for a method other than GET and HEAD
---@return integer code, string body, table header
function Request:redirect(location, code)
	code = code or ((self.method == "GET" or self.method == "HEAD") and 302 or 303)
	if type(location) ~= "string" then
		argument.refuse(string.format('redirect: a location is needed, as "/login", not %s', type(location)))
	elseif find(location, "[\r\n]") then
		argument.refuse "redirect: the location has a line break"
	elseif not REDIRECTIONS[code] then
		local text = "redirect: the code has to be 301, 302, 303, 307 or 308, not %s"
		argument.refuse(string.format(text, tostring(code)))
	end
	local encoded = string.gsub(location, '[%c "<>\\^`{|}\x7f-\xff]', function(char)
		return string.format("%%%02X", string.byte(char))
	end)
	return code, "", { location = encoded }
end

--- A field of the request's header: the first, if there are several. Does not yield.
---@param name string in any letters
---@return string?
function Request:get(name)
	argument.check(name, "text", "get: the name")
	local value = self.header[string.lower(name)]
	if type(value) == "table" then
		return value[1]
	end
	return value
end

--- What a request is asked for that it has no value for. Does not yield.
---@param request table
---@param field any
---@return any
function object.index(request, field)
	local method = Request[field]
	if method then
		return method
	end
	local make = made[field]
	if make then
		local value = make(request)
		request[field] = value
		return value
	end
end

local plain = { __index = object.index }

--- Gives a table with the fields of a request the rest. Does not yield.
---@param request table
function object.adopt(request)
	request.header = request.header or {}
	request.body = request.body or ""
	setmetatable(request, plain)
end

return object
