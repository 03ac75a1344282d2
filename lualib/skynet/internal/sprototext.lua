--- Reads sproto's language, for sprotoparser.
---
---     text      = { type | protocol }
---     type      = "." name struct
---     struct    = "{" { field | type } "}"
---     field     = name tag ":" [ "*" ] typename { "(" [ name | digits ] ")" }
---     protocol  = name tag "{" { ("request" | "response") ( typename | struct ) } "}"
---     typename  = name { "." name }
---
--- Blanks and line ends separate; "#" begins a comment that goes to the end of the line.

local Reader = {}
Reader.__index = Reader

local NAME <const>, DIGITS <const> = "^[%a_][%w_]*", "^%d+"

function Reader:fail()
	local _, lines = string.gsub(string.sub(self.text, 1, self.position - 1), "\n", "\n")
	error(string.format("syntax error at [%s] line (%d)", self.name, lines + 1), 0)
end

function Reader:skip_blanks()
	repeat
		local start = self.position
		self.position = string.match(self.text, "^[ \t\r\n]*()", start)
		self.position = string.match(self.text, "^#[^\n]*()", self.position) or self.position
	until self.position == start
end

-- The text that matches here, and moves behind it and the blanks that follow; nil when there is none.
function Reader:accept(pattern)
	local first, last = string.find(self.text, pattern, self.position)
	if not first then
		return nil
	end
	self.position = last + 1
	self:skip_blanks()
	return string.sub(self.text, first, last)
end

function Reader:expect(pattern)
	return self:accept(pattern) or self:fail()
end

function Reader:type_name()
	local name = string.match(self.text, NAME, self.position) or self:fail()
	self.position = self.position + #name
	while true do
		local more = string.match(self.text, "^%.[%a_][%w_]*", self.position)
		if not more then
			break
		end
		name = name .. more
		self.position = self.position + #more
	end
	return name
end

function Reader:tag()
	return math.tointeger(self:expect(DIGITS))
end

-- What stands behind the type of a field: the key of an array, or the digits of a decimal.
function Reader:annotations(field)
	while self:accept "^%(" do
		local digits = self:accept(DIGITS)
		local key = digits or self:accept(NAME) or ""
		self:expect "^%)"
		if field.typename == "integer" then
			field.decimal = field.decimal
				or math.tointeger(digits)
				or error(string.format("the digits of field %s must be a number", field.name), 0)
		elseif field.array then
			field.key = field.key or key
		elseif digits then
			error(string.format("field %s is no integer", field.name), 0)
		end
	end
end

function Reader:field(type_name, fields)
	local field = { name = self:expect(NAME), tag = self:tag() }
	self:expect "^:"
	field.array = self:accept "^%*" and true or nil
	field.typename = self:type_name()
	self:annotations(field)
	self:skip_blanks()
	for _, other in ipairs(fields) do
		if other.name == field.name then
			error(string.format("redefine %s in type %s", field.name, type_name), 0)
		elseif other.tag == field.tag then
			error(string.format("redefine tag %d in type %s", field.tag, type_name), 0)
		end
	end
	table.insert(fields, field)
end

-- Fields of a type, sorted by tag; types inside of it are added to `types`.
function Reader:struct(type_name)
	local fields = {}
	self:expect "^{"
	while not self:accept "^}" do
		if self:accept_dot() then
			self:type(type_name .. ".")
		else
			self:field(type_name, fields)
		end
	end
	table.sort(fields, function(a, b)
		return a.tag < b.tag
	end)
	return fields
end

-- The dot of a type stands right before its name.
function Reader:accept_dot()
	if string.find(self.text, "^%.[%a_]", self.position) then
		self.position = self.position + 1
		return true
	end
end

function Reader:type(scope)
	local name = scope .. self:expect(NAME)
	local fields = self:struct(name)
	if self.types[name] then
		error("redefined " .. name, 0)
	end
	self.types[name] = fields
end

function Reader:protocol_part(name, protocol)
	local part = self:expect(NAME)
	if part ~= "request" and part ~= "response" then
		self:fail()
	elseif protocol[part] then
		error(string.format("redefine %s in protocol %s", part, name), 0)
	end
	local typename
	if string.find(self.text, "^{", self.position) then
		typename = name .. "." .. part
		self.types[typename] = self:struct(typename)
	else
		typename = self:type_name()
		self:skip_blanks()
	end
	if typename ~= "nil" then
		protocol[part] = typename
	elseif part == "response" then
		protocol.confirm = true -- answered, with no values
	end
end

function Reader:protocol()
	local name = self:expect(NAME)
	local protocol = { tag = self:tag() }
	self:expect "^{"
	while not self:accept "^}" do
		self:protocol_part(name, protocol)
	end
	if self.protocols[name] then
		error("redefined " .. name, 0)
	end
	self.protocols[name] = protocol
end

--- Reads a text. Raises when it is not in the language.
---@param text string
---@param name string for errors
---@return table types name -> fields { name, tag, array, typename, key, decimal }, sorted by tag
---@return table protocols name -> { tag, request, response, confirm }
return function(text, name)
	local reader = setmetatable({ text = text, name = name, position = 1, types = {}, protocols = {} }, Reader)
	reader:skip_blanks()
	while reader.position <= #text do
		if reader:accept_dot() then
			reader:type ""
		else
			reader:protocol()
		end
	end
	return reader.types, reader.protocols
end
