--- Patterns of `lpeg` in the style of regular expressions.
--
-- The syntax is a pattern of lpeg itself, whose captures build the pattern that a text stands for while it is read:
--
--   pattern   <- exp !.
--   exp       <- grammar / seq ('/' seq)*
--   grammar   <- (name '<-' exp)+
--   seq       <- part*
--   part      <- [&!]* primary suffix*
--   suffix    <- [*+?] / '^' [+-]? num / '->' (string / num / '{}' / name) / ('=>' / '>>' / '~>') name
--   primary   <- '(' exp ')' / string / class / '%' name / '.' / name !'<-' / '<' name '>' / '=' name / '{}'
--              / '{:' (name ':')? exp ':}' / '{~' exp '~}' / '{|' exp '|}' / '{' exp '}'
--   class     <- '[' '^'? item (!']' item)* ']'
--   item      <- '%' name / . '-' [^]] / .
--
-- What the captures need to know comes as an extra argument of the match, the reader: the caller's definitions, and how
-- many grammars are around the present place.
local lpeg = require "lpeg"

local P, R, S, V, C, Cb, Cc, Cf, Cg, Cmt, Cp, Cs, Ct =
	lpeg.P, lpeg.R, lpeg.S, lpeg.V, lpeg.C, lpeg.Cb, lpeg.Cc, lpeg.Cf, lpeg.Cg, lpeg.Cmt, lpeg.Cp, lpeg.Cs, lpeg.Ct

local sub = string.sub

---@class re
local re = {}

local any = P(1)

-- What %name means unless the caller defines it.
local predefined = { nl = P "\n" }

-- Compiled patterns by their text, as long as they are referenced elsewhere: for match, find and gsub.
local matchers, finders, replacers

local CLASS_LETTERS = {
	a = "alpha",
	c = "cntrl",
	d = "digit",
	g = "graph",
	l = "lower",
	p = "punct",
	s = "space",
	u = "upper",
	w = "alnum",
	x = "xdigit",
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

-- What the captures of the syntax call; most of these make a pattern ------------------------------------------------

local reader = lpeg.Carg(1)

local function fail_here(text, at)
	local rest = #text < at + 20 and text:sub(at) or text:sub(at, at + 20) .. "..."
	error(("pattern error near '%s'"):format(rest), 0)
end

--- The caller's definition of a name.
local function definition(name, reader)
	local value = reader.defs and reader.defs[name]
	if not value then
		error("undefined name: " .. name, 0)
	end
	return value
end

--- The class with this name.
local function class(name, reader)
	local value = reader.defs and reader.defs[name] or predefined[name]
	if not value then
		error(("name '%s' undefined"):format(name), 0)
	end
	return P(value)
end

local function range(text)
	return R(sub(text, 1, 1) .. sub(text, 3, 3))
end

local function finish_class(complement, set)
	return complement and any - set or set
end

--- Succeeds after a text that is the same as that of the group.
local function same_text(subject, position, text)
	if type(text) == "string" and subject:sub(position, position + #text - 1) == text then
		return position + #text
	end
end

local function back_reference(name)
	return Cmt(Cb(name), same_text)
end

local function group(name, pattern)
	return name and Cg(pattern, name) or Cg(pattern)
end

--- The rule with this name.
local function rule(name, reader)
	if reader.grammars == 0 then
		error(("rule '%s' used outside a grammar"):format(name), 0)
	end
	return V(name)
end

local function begin_grammar(reader)
	reader.grammars = reader.grammars + 1
end

--- The grammar of names and patterns by turns.
local function finish_grammar(reader, ...)
	local list = { ... }
	local rules = { list[1] }
	for i = 1, #list, 2 do
		local name = list[i]
		if rules[name] then
			error(("'%s' already defined as a rule"):format(name), 0)
		end
		rules[name] = list[i + 1]
	end
	reader.grammars = reader.grammars - 1
	return P(rules)
end

--- The last of the arguments is the pattern, the others are the marks in front of it.
local function predicates(...)
	local count = select("#", ...)
	local pattern = select(count, ...)
	for i = count - 1, 1, -1 do
		pattern = select(i, ...) == "&" and #pattern or -pattern
	end
	return pattern
end

local function zero_or_more(pattern)
	return pattern ^ 0
end

local function one_or_more(pattern)
	return pattern ^ 1
end

local function optional(pattern)
	return pattern ^ -1
end

--- `count` times the pattern.
local function times(pattern, count)
	local result = P(true)
	for _ = 1, count do
		result = result * pattern
	end
	return result
end

local function power(pattern, count)
	return pattern ^ count
end

local function transform(pattern, by)
	return pattern / by
end

local function accumulate(pattern, func)
	return pattern % func
end

local function concatenate(pattern, following)
	return pattern * following
end

local function either(pattern, other)
	return pattern + other
end

-- The syntax ----------------------------------------------------------------------------------------------------------

local spaces = (S " \t\n\v\f\r" + "--" * (any - "\n") ^ 0) ^ 0
local letter = R("az", "AZ") + "_"
local word = letter * (letter + R "09") ^ 0
local name = C(word)
local number = R "09" ^ 1
local arrow = spaces * "<-"
local single, double = "'" * C((any - "'") ^ 0) * "'", '"' * C((any - '"') ^ 0) * '"'
local named = name * reader / definition
local exp = V "exp"

local item = "%" * name * reader / class + any * "-" * (any - "]") / range + any / P

local primary = (single + double) / P
	+ "%" * name * reader / class
	+ "(" * exp * ")"
	+ "[" * (C "^" + Cc(false)) * item * ((-P "]" * item) % either) ^ 0 * "]" / finish_class
	+ "{~" * exp * "~}" / Cs
	+ "{|" * exp * "|}" / Ct
	+ "{:" * (name * ":" + Cc(false)) * exp * ":}" / group
	+ P "{}" / function()
		return Cp()
	end
	+ "{" * exp * "}" / C
	+ "." * Cc(any)
	+ "=" * name / back_reference
	+ ("<" * name * ">" + name * -arrow) * reader / rule

-- Each takes the pattern before it.
local suffix = P "*" % zero_or_more
	+ P "+" % one_or_more
	+ P "?" % optional
	+ "^" * (number / tonumber) % times
	+ "^" * (S "+-" * number / tonumber) % power
	+ "->" * spaces * (single + double + number / tonumber) % transform
	+ "->" * spaces * "{}" % Ct
	+ "->" * spaces * named % transform
	+ "=>" * spaces * named % Cmt
	+ ">>" * spaces * named % accumulate
	+ "~>" * spaces * named % Cf

local suffixed = primary * spaces * (suffix * spaces) ^ 0
local part = (C(S "&!") * spaces) ^ 1 * suffixed / predicates + suffixed

-- After a sequence there must be something that can follow one.
local follow = #(-any + S "/)}" + ":}" + "~}" + "|}" + word * arrow) + P(fail_here)

local syntax = P {
	exp * (-any + P(fail_here)),
	exp = spaces
		* (
			(reader / begin_grammar) * reader * (name * arrow * exp) ^ 1 / finish_grammar
			+ V "seq" * (("/" * spaces * V "seq") % either) ^ 0
		),
	seq = Cc(P(true)) * (part % concatenate) ^ 0 * follow,
}

-- The module ---------------------------------------------------------------------------------------------------------

--- Compiles the text of a pattern; a pattern of lpeg is returned as it is. Raises "pattern error near ..." if the text is no pattern,
--- for names that are not defined, and what lpeg raises.
---@param pattern string|userdata
---@param defs? table the values of the names in it
---@return userdata pattern
function re.compile(pattern, defs)
	if lpeg.type(pattern) == "pattern" then
		return pattern
	end
	if type(pattern) ~= "string" and type(pattern) ~= "number" then
		error(("bad argument #1 to 'compile' (string expected, got %s)"):format(type(pattern)), 2)
	end
	return syntax:match(pattern, 1, { defs = defs, grammars = 0 })
end

--- Matches the subject from position `init` (1 without it) on with the pattern (text without definitions, or compiled).
---@param subject string
---@param pattern string|userdata
---@param init? integer
---@return any ... the captures, or the position after the match if there are none; nil without a match
function re.match(subject, pattern, init)
	local compiled = matchers[pattern]
	if not compiled then
		compiled = re.compile(pattern)
		matchers[pattern] = compiled
	end
	return compiled:match(subject, init or 1)
end

--- Searches the subject from position `init` (1 without it) on for the pattern.
---@param subject string
---@param pattern string|userdata
---@param init? integer
---@return integer? first where the first match begins; nil without a match
---@return integer? last where it ends
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

--- The subject with each match of the pattern replaced.
---@param subject string
---@param pattern string|userdata
---@param replacement string|table|function a text with marks (%1), or as for `patt / replacement` of lpeg
---@return string
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
