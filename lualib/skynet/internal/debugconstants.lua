--- Constants that the compiler knows (`local N <const> = 5`): they have no place in a function, so their values are read from its source.
--- Part of the debugger's agent (debugagent.lua).
---
---     local constants = native.load "skynet.internal.debugconstants"
---     constants.visible(source, path, line, text) -- name -> value, of those that a text may mean

local native = ...

local find, sub, match = string.find, string.sub, string.match

local MOST_SOURCE <const> = 256 * 1024 -- bytes of a source that is looked through
local MOST_SOURCES <const> = 100 -- that are kept

local M = {}

---------------------------------------------------------------- words of a source

local OPERATORS <const> = { "^%.%.%.", "^%.%.", "^[=~<>]=", "^<<", "^>>", "^//", "^::" }

local function end_of_string(text, place)
	local quote = sub(text, place, place)
	local from = place + 1
	while true do
		local at = find(text, "[\\" .. quote .. "]", from)
		if not at or sub(text, at, at) ~= "\\" then
			return at or #text
		end
		from = at + 2
	end
end

local function end_of_number(text, place)
	local _, to = find(text, "^0[xX][%x%.]*", place)
	local exponent = "^[pP][+-]?%d+"
	if not to then
		_, to = find(text, "^[%d%.]+", place)
		exponent = "^[eE][+-]?%d+"
	end
	local _, last = find(text, exponent, to + 1)
	return last or to
end

-- The kind of a word that begins at a place, and where it ends.
local function word_at(text, place)
	local sign = sub(text, place, place)
	local _, to = find(text, "^[%a_][%w_]*", place)
	if to then
		return "name", to
	elseif find(text, "^%.?%d", place) then
		return "number", end_of_number(text, place)
	elseif sign == '"' or sign == "'" then
		return "string", end_of_string(text, place)
	end
	_, to = find(text, "^%[(=*)%[.-%]%1%]", place)
	if to then
		return "string", to
	end
	for _, pattern in ipairs(OPERATORS) do
		local _, last = find(text, pattern, place)
		if last then
			return "sign", last
		end
	end
	return "sign", place
end

-- A list of the words: { kind, text, line, from, to }.
local function words_of(text)
	local list, place, line = {}, 1, 1
	local function pass(to)
		for _ in string.gmatch(sub(text, place, to), "\n") do
			line = line + 1
		end
		place = to + 1
	end
	if sub(text, 1, 1) == "#" then
		pass((find(text, "\n", 1, true) or #text + 1) - 1)
	end
	while true do
		pass(select(2, find(text, "^%s*", place)))
		if place > #text then
			return list
		elseif find(text, "^%-%-", place) then
			local _, to = find(text, "^%-%-%[(=*)%[.-%]%1%]", place)
			pass(to or (find(text, "\n", place, true) or #text + 1) - 1)
		else
			local kind, to = word_at(text, place)
			list[#list + 1] = { kind = kind, text = sub(text, place, to), line = line, from = place, to = to }
			pass(to)
		end
	end
end

---------------------------------------------------------------- what is declared where

local END <const> = { kind = "end", text = "", line = math.huge }
local LITERALS <const> = { ["true"] = true, ["false"] = true, ["nil"] = true }
local BEFORE <const> = { ["-"] = true, ["~"] = true, ["not"] = true, ["("] = true }
local BETWEEN <const> = {}
for sign in string.gmatch("+ - * / // % ^ & | ~ << >> .. == ~= < > <= >= and or", "%S+") do
	BETWEEN[sign] = true
end
local CALLS <const> = { ["("] = true, ["{"] = true, ["["] = true, ["."] = true, [":"] = true }

local OPENING <const> = { ["("] = true, ["{"] = true, ["["] = true }
local CLOSING <const> = { [")"] = true, ["}"] = true, ["]"] = true }
local STATEMENTS <const> = {} -- words of which none is in an expression that is passed over
for word in
	string.gmatch("break do else elseif end for function global goto if local repeat return then until while", "%a+")
do
	STATEMENTS[word] = true
end

local Reader = {}
Reader.__index = Reader

function Reader:peek()
	return self.words[self.place] or END
end

function Reader:take()
	local word = self:peek()
	self.place = self.place + 1
	return word
end

function Reader:accept(text)
	if self:peek().text == text and self:peek().kind ~= "string" then
		return self:take()
	end
end

function Reader:open()
	self.scopes[#self.scopes + 1] = {}
end

function Reader:close(line)
	for _, entry in ipairs(table.remove(self.scopes) or {}) do
		entry.last = line
	end
end

-- From the line behind this one on, a name means a constant, or something else.
function Reader:declare(name, line, value)
	local scope = self.scopes[#self.scopes]
	local entry = { name = name, value = value, first = line + 1, last = math.huge }
	if scope then
		scope[#scope + 1] = entry
		self.found[#self.found + 1] = entry
	end
end

-- What a name means here, of constants.
function Reader:value_of(name)
	for i = #self.scopes, 1, -1 do
		local scope = self.scopes[i]
		for k = #scope, 1, -1 do
			if scope[k].name == name then
				return scope[k].value
			end
		end
	end
end

-- One expression of constants. Its value, and whether it is one.
function Reader:expression()
	local from, depth, operand = self:peek().from, 0, false
	local known, last = {}, nil
	while true do
		local word = self:peek()
		local text, kind = word.text, word.kind
		if not operand then
			local value = kind == "name" and self:value_of(text)
			if value ~= nil and value ~= false then
				known[text] = value
			end
			if kind == "number" or kind == "string" or LITERALS[text] or known[text] ~= nil then
				operand = true
			elseif text == "(" then
				depth = depth + 1
			elseif not BEFORE[text] then
				return nil, false
			end
		elseif text == ")" and depth > 0 then
			depth = depth - 1
		elseif BETWEEN[text] and kind ~= "string" then
			operand = false
		elseif CALLS[text] or kind == "string" then
			return nil, false
		else
			break
		end
		last = self:take()
	end
	local chunk = depth == 0 and load("return " .. sub(self.source, from, last.to), "=constant", "t", known)
	local ok, value = pcall(chunk or error)
	return value, ok
end

-- Passes over an expression, from that word on, up to the comma behind it. False if there is none, or a function in it.
function Reader:pass_expression(place)
	self.place = place
	local depth = 0
	while true do
		local word = self:peek()
		local text, is_text = word.text, word.kind == "string"
		if word.kind == "end" or word.kind == "name" and STATEMENTS[text] then
			return false
		elseif text == "," and depth == 0 and not is_text then
			return true
		elseif OPENING[text] and not is_text then
			depth = depth + 1
		elseif CLOSING[text] and not is_text then
			depth = depth - 1
		end
		self:take()
	end
end

-- Names behind `local`, and the value of the last of them if that is a constant.
function Reader:variables()
	local names, attribute = {}, nil
	local function read_attribute()
		local found = self:accept "<" and self:take().text
		return found and self:accept ">" and found
	end
	local default = read_attribute()
	repeat
		if self:peek().kind ~= "name" then
			break
		end
		names[#names + 1] = self:take().text
		attribute = read_attribute() or default
	until not self:accept ","
	local value, is_constant, count = nil, false, 0
	if self:accept "=" and attribute == "const" then
		repeat
			local place = self.place
			value, is_constant = self:expression()
			count = count + 1
		until not (is_constant or self:pass_expression(place)) or not self:accept ","
	end
	local line = (self.words[self.place - 1] or END).line
	for i, name in ipairs(names) do
		local is_last = i == #names and count == i and is_constant
		if is_last then
			self:declare(name, line, value)
		else
			self:declare(name, line)
		end
	end
end

local statements = {}

statements["local"] = function(reader)
	if reader:peek().text == "function" then
		local name = reader.words[reader.place + 1] or END
		return reader:declare(name.text, name.line - 1)
	end
	reader:variables()
end

statements["global"] = function(reader)
	local word = reader:peek()
	if word.kind == "name" and word.text ~= "function" then
		reader:declare(word.text, word.line - 1)
	end
end

statements["function"] = function(reader)
	while reader:peek().kind ~= "end" and not reader:accept "(" do
		reader:take()
	end
	reader:open()
	while reader:peek().kind ~= "end" and not reader:accept ")" do
		local word = reader:take()
		reader:declare(word.text, word.line - 1)
	end
end

statements["for"] = function(reader)
	local names = {}
	while reader:peek().kind == "name" and reader:peek().text ~= "in" do
		names[#names + 1] = reader:take().text
		reader:accept ","
	end
	reader.loop = names
end

statements["do"] = function(reader, line)
	reader:open()
	for _, name in ipairs(reader.loop) do
		reader:declare(name, line - 1)
	end
	reader.loop = {}
end

statements["then"], statements["repeat"] = Reader.open, Reader.open
statements["end"], statements["until"], statements["elseif"] = Reader.close, Reader.close, Reader.close

statements["else"] = function(reader, line)
	reader:close(line)
	reader:open()
end

-- The declarations of a source, in their order: { name, value, first, last }, lines between which they hold.
local function declarations(text)
	local reader = setmetatable(
		{ source = text, words = words_of(text), place = 1, scopes = { {} }, found = {}, loop = {} },
		Reader
	)
	while reader.place <= #reader.words do
		local word = reader:take()
		local statement = word.kind == "name" and statements[word.text]
		if statement then
			statement(reader, word.line)
		end
	end
	local constants, list = {}, {}
	for _, entry in ipairs(reader.found) do
		constants[entry.name] = constants[entry.name] or entry.value ~= nil
	end
	for _, entry in ipairs(reader.found) do
		list[#list + 1] = constants[entry.name] and entry or nil
	end
	return list
end

---------------------------------------------------------------- of functions

local cache, cached = {}, 0

local function text_of(source, path)
	local text = path and native.read(path) or not path and not match(source, "^[@=]") and source
	return text and #text <= MOST_SOURCE and find(text, "<%s*const") and text
end

--- What is declared in a source; it is read once.
---@param source string the name of the chunk
---@param path string? its file
function M.of(source, path)
	local known = cache[source]
	if not known then
		local ok, found = pcall(declarations, text_of(source, path) or "")
		known = ok and found or {}
		if cached >= MOST_SOURCES then
			cache, cached = {}, 0
		end
		cache[source], cached = known, cached + 1
	end
	return known
end

--- The constants that a text may mean at a line of a source; nil: none.
---@param source string the name of the chunk
---@param path string? its file
---@param line integer
---@param text string
---@return table<string, any>?
function M.visible(source, path, line, text)
	local wanted, values = {}, {}
	for name in string.gmatch(text, "[%a_][%w_]*") do
		wanted[name] = true
	end
	for _, entry in ipairs(M.of(source, path)) do
		if wanted[entry.name] and entry.first <= line and line <= entry.last then
			values[entry.name] = entry.value
		end
	end
	return next(values) ~= nil and values or nil
end

return M
