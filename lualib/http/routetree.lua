--- The routes of a http.router as a tree of the parts of their paths: `/users/:id` is the part "users" and below it a parameter.
---
--- What a path leads to is found part by part, by a hash for each: 10,000 routes are no slower than ten. A fixed part goes before a
--- parameter, and a parameter before a rest; where the better one leads nowhere, or to no route with the method, the next is
--- looked at. A node stands for one depth, so it is looked at once at most, and none behind the end of the path.

local find, sub, byte = string.find, string.sub, string.byte

local M = {}
local Tree = {}
Tree.__index = Tree

---------------------------------------------------------------- percent-encoding

local decode = require "http.url".unescape

--- Whether each `%` is followed by two digits. Does not yield.
---@param text string
---@return boolean
function M.is_encoded_well(text)
	return not find(text, "%", 1, true) or not (find(text, "%%%X") or find(text, "%%%x%X") or find(text, "%%%x?$"))
end

---------------------------------------------------------------- patterns

-- The parts of a pattern, each { kind, name or text }. Raises a text that says what is wrong.
local function parts_of(pattern)
	if type(pattern) ~= "string" or byte(pattern) ~= 47 then
		error(string.format("a path begins with a slash, as '/users/:id', and %s does not", M.shown(pattern)), 0)
	elseif find(pattern, "[?#]") then
		error(string.format("'%s': a path ends before its query; request.query has that", pattern), 0)
	elseif not M.is_encoded_well(pattern) then
		error(string.format("'%s': behind a %% there have to be two digits, as in %%2F", pattern), 0)
	end
	local parts, names = {}, {}
	local at = 2
	repeat
		local stop = find(pattern, "/", at, true)
		local text = sub(pattern, at, (stop or 0) - 1)
		local mark = sub(text, 1, 1)
		local name = (mark == ":" or mark == "*") and sub(text, 2)
		if not name then
			parts[#parts + 1] = { kind = "fixed", text = decode(text) }
		elseif not find(name, "^[%a_\x80-\xff][%w_\x80-\xff]*$") then
			error(
				string.format(
					"'%s': '%s' has to be a name behind '%s', of letters, digits and _, up to the next slash (%%%02X is the character itself)",
					pattern,
					name,
					mark,
					byte(mark)
				),
				0
			)
		elseif names[name] then
			error(string.format("'%s': two parameters have the name '%s'", pattern, name), 0)
		elseif mark == "*" and stop then
			error(string.format("'%s': nothing can stand behind '*%s', which is all the rest", pattern, name), 0)
		else
			names[name] = true
			parts[#parts + 1] = { kind = mark == ":" and "parameter" or "rest", name = name }
		end
		at = stop and stop + 1
	until not at
	return parts
end

--- A value in a message for programmers. Does not yield.
function M.shown(value)
	return type(value) == "string" and string.format("'%s'", value) or tostring(value)
end

---------------------------------------------------------------- the tree

--- Makes a tree. Does not yield.
---@param strict boolean? a slash at the end makes another path; otherwise it is the same one unless both are there
---@return table tree
function M.new(strict)
	-- root: node of "/"; exact: path without parameters -> methods
	return setmetatable({ root = {}, exact = {}, strict = strict or false }, Tree)
end

-- The methods at the end of a pattern: method -> route. They are made if need be.
local function place(tree, parts, pattern)
	local node, plain = tree.root, true
	for _, part in ipairs(parts) do
		if part.kind == "rest" then
			node.rest = node.rest or {}
			return node.rest
		end
		local child
		if part.kind == "fixed" then
			node.fixed = node.fixed or {}
			child = node.fixed[part.text] or {}
			node.fixed[part.text] = child
		else
			plain = false
			child = node.parameter or {}
			node.parameter = child
		end
		node = child
	end
	node.here = node.here or {}
	if plain and not find(pattern, "%", 1, true) then
		tree.exact[pattern] = node.here
	end
	return node.here
end

--- Adds a route. Raises a text for a pattern that is none, or a route that is there. Does not yield.
---@param method string "ANY" for those that have no route of their own
---@param pattern string
---@param route table receives names: of its parameters in their order
function Tree:add(method, pattern, route)
	local parts = parts_of(pattern)
	local names = {}
	for _, part in ipairs(parts) do
		names[#names + 1] = part.name
	end
	local methods = place(self, parts, pattern)
	local there = methods[method]
	if there then
		local same = there.pattern == pattern and "" or string.format(", as '%s'", there.pattern)
		error(string.format("%s '%s' is there already%s: %s", method, pattern, same, there.where), 0)
	end
	route.names = names
	methods[method] = route
end

-- Of one search, which does not yield.
local wanted, strict, encoded, passed
local values = {} -- of parameters

-- The route that these methods have for the wanted one. Where there is none, they count among those passed.
local function choose(methods)
	local route = methods[wanted] or (wanted == "HEAD" and methods.GET) or methods.ANY
	if not route then
		passed = passed or {}
		passed[#passed + 1] = methods
	end
	return route
end

local function at_end(node, count)
	local route = node.here and choose(node.here)
	if route or strict then
		return route, count
	end
	local below = node.fixed and node.fixed[""]
	route = below and below.here and choose(below.here)
	if route then
		return route, count
	elseif node.rest then
		values[count + 1] = ""
		return choose(node.rest), count + 1
	end
end

-- The route that the rest of a path leads to, from a node on. `count` of the values are those of parameters before.
local function walk(node, path, at, count)
	if at > #path + 1 then
		return at_end(node, count)
	end
	local stop = find(path, "/", at, true)
	local part = sub(path, at, (stop or 0) - 1)
	if encoded then
		part = decode(part)
	end
	local behind = stop and stop + 1 or #path + 2
	local child = node.fixed and node.fixed[part]
	if child then
		local route, found = walk(child, path, behind, count)
		if route then
			return route, found
		end
	end
	if part ~= "" and node.parameter then
		values[count + 1] = part
		local route, found = walk(node.parameter, path, behind, count + 1)
		if route then
			return route, found
		end
	elseif part == "" and not stop and not strict and node.here and byte(path, at - 2) ~= 47 then
		local route = choose(node.here)
		if route then
			return route, count
		end
	end
	if node.rest then
		values[count + 1] = decode(sub(path, at))
		return choose(node.rest), count + 1
	end
end

--- Finds the route for a path as it was sent. Does not yield.
---@param method string
---@param path string begins with a slash, is_encoded_well
---@return table? route
---@return table params name -> decoded value; for no route: a list of what leads there with other methods, each method -> route
function Tree:find(method, path)
	local exact = self.exact[path]
	if exact then
		local route = exact[method] or (method == "HEAD" and exact.GET) or exact.ANY
		if route then
			return route, {}
		end
	end
	wanted, strict, encoded, passed = method, self.strict, find(path, "%", 1, true), nil
	local route = walk(self.root, path, 2, 0)
	if not route then
		return nil, passed or {}
	end
	local params, names = {}, route.names
	for index = 1, #names do
		params[names[index]] = values[index]
	end
	return route, params
end

return M
