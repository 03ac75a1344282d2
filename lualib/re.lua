--- Patterns of `lpeg` in the style of regular expressions.
--
-- A pattern's text is read by recursive descent; what it means is built with lpeg on the way. A reader has the text, the
-- position `at`, the caller's definitions, and how many grammars are around the position.
--
--   pattern   <- exp !.
--   exp       <- grammar / seq ('/' seq)*
--   grammar   <- (name '<-' exp)+
--   seq       <- prefix*
--   prefix    <- [&!] prefix / primary suffix*
--   suffix    <- [*+?] / '^' [+-]? num / '->' (string / num / '{}' / name) / ('=>' / '>>' / '~>') name
--   primary   <- '(' exp ')' / string / class / '%' name / '.' / name !'<-' / '<' name '>' / '=' name / '{}'
--              / '{:' (name ':')? exp ':}' / '{~' exp '~}' / '{|' exp '|}' / '{' exp '}'
--   class     <- '[' '^'? item (!']' item)* ']'
--   item      <- '%' name / . '-' [^]] / .
local lpeg = require "lpeg"

local P, R, V, C, Cb, Cf, Cg, Cmt, Cp, Cs, Ct =
	lpeg.P, lpeg.R, lpeg.V, lpeg.C, lpeg.Cb, lpeg.Cf, lpeg.Cg, lpeg.Cmt, lpeg.Cp, lpeg.Cs, lpeg.Ct

local byte, find, match, sub = string.byte, string.find, string.match, string.sub

local re = {}

local any = P(1)

-- What %name means unless the caller defines it.
local predefined = { nl = P "\n" }

-- Compiled patterns by their text, as long as somebody else holds them: for match, find and gsub.
local matchers, finders, replacers

local CLASS_LETTERS = {
	a = "alpha", c = "cntrl", d = "digit", g = "graph", l = "lower",
	p = "punct", s = "space", u = "upper", w = "alnum", x = "xdigit",
}

--- Takes the classes of characters (%a and so on) from the present locale. Patterns compiled before stay as they are.
function re.updatelocale()
	lpeg.locale(predefined)
	for letter, class in pairs(CLASS_LETTERS) do
		predefined[letter] = predefined[class]
		predefined[letter:upper()] = any - predefined[class]
	end
	local weak = { __mode = "v" }
	matchers, finders, replacers = setmetatable({}, weak), setmetatable({}, weak), setmetatable({}, weak)
end

re.updatelocale()

-- Reading ------------------------------------------------------------------------------------------------------------

local NAME = "^([A-Za-z_][A-Za-z0-9_]*)()"

--- Reads what the Lua pattern matches, which is anchored and has a capture, and a position capture at its end. Returns the
--- first capture; nothing, and stays, if there is no match.
local function take(reader, pattern)
	local found, stop = match(reader.text, pattern, reader.at)
	reader.at = stop or reader.at
	return found
end

--- Reads these characters.
local function token(reader, text)
	local at = reader.at
	local stop = at + #text
	if sub(reader.text, at, stop - 1) == text then
		reader.at = stop
		return true
	end
end

--- The position after spaces and comments from `at` on.
local function after_spaces(text, at)
	repeat
		at = find(text, "%S", at) or #text + 1
		local comment = match(text, "^%-%-[^\n]*()", at)
		at = comment or at
	until not comment
	return at
end

--- Reads spaces and comments.
local function spaces(reader)
	reader.at = after_spaces(reader.text, reader.at)
end

--- The position after `name <-`, if that comes next, and the name.
local function definition_ahead(reader)
	local text = reader.text
	local name, at = match(text, NAME, reader.at)
	if name then
		at = after_spaces(text, at)
		if sub(text, at, at + 1) == "<-" then
			return at + 2, name
		end
	end
end

local function fail_here(reader)
	local text, at = reader.text, reader.at
	local rest = #text < at + 20 and text:sub(at) or text:sub(at, at + 20) .. "..."
	error(("pattern error near '%s'"):format(rest), 0)
end

--- Reads `name` and returns the caller's definition.
local function definition(reader)
	local name = take(reader, NAME)
	if name then
		local value = reader.defs and reader.defs[name]
		if not value then
			error("undefined name: " .. name, 0)
		end
		return value
	end
end

--- Reads a string in quotes and returns what is between them.
local function quoted(reader)
	return take(reader, "^'([^']*)'()") or take(reader, '^"([^"]*)"()')
end

--- Readers by the characters that they come after, for `dispatch`: by the first one, longer before shorter.
local function by_first(readers)
	local result = {}
	for characters, read in pairs(readers) do
		local first = byte(characters)
		local entry = { characters = characters, read = read }
		result[first] = result[first] or {}
		table.insert(result[first], #characters > 1 and 1 or #result[first] + 1, entry)
	end
	return result
end

--- Reads something by the reader for the characters that come next. Returns its result; nothing, and stays, if there is none.
local function dispatch(reader, readers, ...)
	local at = reader.at
	local entries = readers[byte(reader.text, at)]
	if entries then
		for i = 1, #entries do
			local entry = entries[i]
			if token(reader, entry.characters) then
				local result = entry.read(reader, ...)
				if result then
					return result
				end
				reader.at = at
			end
		end
	end
end

local expression

-- Classes ------------------------------------------------------------------------------------------------------------

--- Reads the name of a class after its `%`.
local function named_class(reader)
	local name = take(reader, NAME)
	if not name then
		return nil
	end
	local value = reader.defs and reader.defs[name] or predefined[name]
	if not value then
		error(("name '%s' undefined"):format(name), 0)
	end
	return P(value)
end

--- Reads one item of a class.
local function class_item(reader)
	local at = reader.at
	local item = token(reader, "%") and named_class(reader)
	if item then
		return item
	end
	local first, last, stop = match(reader.text, "^(.)%-([^%]])()", at)
	if first then
		reader.at = stop
		return R(first .. last)
	end
	reader.at = at
	item = take(reader, "^(.)()")
	return item and P(item)
end

--- Reads a class after its `[`.
local function class(reader)
	local complement = token(reader, "^")
	local set = class_item(reader)
	while set and not token(reader, "]") do
		local item = class_item(reader)
		set = item and set + item
	end
	if set and complement then
		return any - set
	end
	return set
end

-- Primaries: each reads what comes after the characters that it is filed under --------------------------------------

--- Succeeds after a text that is the same as that of the group.
local function same_text(subject, position, text)
	if type(text) == "string" and subject:sub(position, position + #text - 1) == text then
		return position + #text
	end
end

--- Reads an expression and what closes it; `make` turns the expression into the result.
local function enclosed(close, make)
	return function(reader)
		local pattern = expression(reader)
		if token(reader, close) then
			return make(pattern)
		end
	end
end

--- The rule with this name.
local function rule(reader, name)
	if reader.grammars == 0 then
		error(("rule '%s' used outside a grammar"):format(name), 0)
	end
	return V(name)
end

local function itself(pattern)
	return pattern
end

--- Reads a string whose quotation mark was read.
local function literal(closing)
	return function(reader)
		local text = take(reader, closing)
		return text and P(text)
	end
end

local PRIMARIES = by_first {
	["'"] = literal "^([^']*)'()",
	['"'] = literal '^([^"]*)"()',
	["%"] = named_class,
	["("] = enclosed(")", itself),
	["["] = class,
	["{~"] = enclosed("~}", Cs),
	["{|"] = enclosed("|}", Ct),
	["{"] = enclosed("}", C),
	["{}"] = function()
		return Cp()
	end,
	["{:"] = function(reader)
		local name = take(reader, "^([A-Za-z_][A-Za-z0-9_]*):()")
		local pattern = expression(reader)
		if token(reader, ":}") then
			return Cg(pattern, name)
		end
	end,
	["."] = function()
		return any
	end,
	["="] = function(reader)
		local name = take(reader, NAME)
		return name and Cmt(Cb(name), same_text)
	end,
	["<"] = function(reader)
		local name = take(reader, "^([A-Za-z_][A-Za-z0-9_]*)>()")
		return name and rule(reader, name)
	end,
}

local function primary(reader)
	local pattern = dispatch(reader, PRIMARIES)
	if pattern then
		return pattern
	end
	if not definition_ahead(reader) then
		local name = take(reader, NAME)
		return name and rule(reader, name)
	end
end

-- Suffixes: each reads what comes after the characters that it is filed under, and returns the new pattern -----------

--- `count` times the pattern.
local function times(pattern, count)
	local result = P(true)
	for _ = 1, count do
		result = result * pattern
	end
	return result
end

--- A suffix that takes a name.
local function with_definition(make)
	return function(reader, pattern)
		spaces(reader)
		local value = definition(reader)
		return value and make(pattern, value)
	end
end

local function accumulate(pattern, func)
	return pattern % func
end

local SUFFIXES = by_first {
	["+"] = function(_, pattern)
		return pattern ^ 1
	end,
	["*"] = function(_, pattern)
		return pattern ^ 0
	end,
	["?"] = function(_, pattern)
		return pattern ^ -1
	end,
	["^"] = function(reader, pattern)
		local count = take(reader, "^(%d+)()")
		if count then
			return times(pattern, tonumber(count))
		end
		count = take(reader, "^([+-]%d+)()")
		return count and pattern ^ tonumber(count)
	end,
	["->"] = function(reader, pattern)
		spaces(reader)
		local format = quoted(reader)
		if format then
			return pattern / format
		end
		local number = take(reader, "^(%d+)()")
		if number then
			return pattern / tonumber(number)
		end
		if token(reader, "{}") then
			return Ct(pattern)
		end
		local value = definition(reader)
		return value and pattern / value
	end,
	["=>"] = with_definition(Cmt),
	[">>"] = with_definition(accumulate),
	["~>"] = with_definition(Cf),
}

-- Larger parts -------------------------------------------------------------------------------------------------------

local function prefix(reader)
	local at = reader.at
	local mark = sub(reader.text, at, at)
	if mark == "&" or mark == "!" then
		reader.at = at + 1
		spaces(reader)
		local pattern = prefix(reader)
		if not pattern then
			reader.at = at
			return nil
		end
		return mark == "&" and #pattern or -pattern
	end
	local pattern = primary(reader)
	local longer = pattern
	while longer do
		pattern = longer
		spaces(reader)
		longer = dispatch(reader, SUFFIXES, pattern)
	end
	return pattern
end

--- Reads a sequence. After it there must be something that can follow one.
local function sequence(reader)
	local result = P(true)
	local part = prefix(reader)
	while part do
		result = result * part
		part = prefix(reader)
	end
	local at, text = reader.at, reader.text
	if at > #text or find(text, "^[/)}]", at) or definition_ahead(reader) or find(text, "^[:~|]}", at) then
		return result
	end
	fail_here(reader)
end

--- Reads rules, the first of which begins at the present position.
local function grammar(reader)
	local rules = {}
	local stop, name = definition_ahead(reader)
	reader.grammars = reader.grammars + 1
	while stop do
		reader.at = stop
		local pattern = expression(reader)
		if rules[name] then
			error(("'%s' already defined as a rule"):format(name), 0)
		end
		rules[1] = rules[1] or name
		rules[name] = pattern
		stop, name = definition_ahead(reader)
	end
	reader.grammars = reader.grammars - 1
	return P(rules)
end

function expression(reader)
	spaces(reader)
	if definition_ahead(reader) then
		return grammar(reader)
	end
	local result = sequence(reader)
	while token(reader, "/") do
		spaces(reader)
		result = result + sequence(reader)
	end
	return result
end

-- The module ---------------------------------------------------------------------------------------------------------

--- Compiles the text of a pattern; a pattern of lpeg is returned as it is.
--- @param pattern string
--- @param defs? table the values of the names in it
--- @return userdata pattern
--- Errors: "pattern error near ..." if the text is not a pattern; names that are not defined; what lpeg raises.
function re.compile(pattern, defs)
	if lpeg.type(pattern) == "pattern" then
		return pattern
	end
	if type(pattern) ~= "string" and type(pattern) ~= "number" then
		error(("bad argument #1 to 'compile' (string expected, got %s)"):format(type(pattern)), 2)
	end
	local reader = { text = tostring(pattern), at = 1, defs = defs, grammars = 0 }
	local result = expression(reader)
	if reader.at <= #reader.text then
		fail_here(reader)
	end
	return result
end

--- Matches the subject from position `init` (1 without it) on with the pattern (text without definitions, or compiled).
--- Returns the captures, or the position after the match if there are none; nil without a match.
function re.match(subject, pattern, init)
	local compiled = matchers[pattern]
	if not compiled then
		compiled = re.compile(pattern)
		matchers[pattern] = compiled
	end
	return compiled:match(subject, init or 1)
end

--- Searches the subject from position `init` (1 without it) on for the pattern. Returns where the first match begins and
--- ends, without captures; nil without a match.
function re.find(subject, pattern, init)
	local compiled = finders[pattern]
	if not compiled then
		compiled = P { Cp() * (re.compile(pattern) / 0) * Cp() + 1 * V(1) }
		finders[pattern] = compiled
	end
	local first, after = compiled:match(subject, init or 1)
	if first then
		return first, after - 1
	end
	return nil
end

--- Returns the subject with each match of the pattern replaced; `replacement` is a string with marks (%1), a table or a
--- function, as for `patt / replacement` of lpeg.
function re.gsub(subject, pattern, replacement)
	local by_replacement = replacers[pattern] or {}
	replacers[pattern] = by_replacement
	local compiled = by_replacement[replacement]
	if not compiled then
		compiled = Cs((re.compile(pattern) / replacement + 1) ^ 0)
		by_replacement[replacement] = compiled
	end
	return compiled:match(subject)
end

return re
