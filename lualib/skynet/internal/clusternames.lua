--- The names by which other nodes know services of this one, for an agent that is asked for them, and which of them others may
--- call: config key `cluster_allow`, words like `scores` (registered with the cluster) and `.login` (a local name). What is published
--- may be called.
---
---     local names = clusternames.new(clusterd)
---     local handle = names.handle_of "@store"
---     local why = names.fault_of "store"

local printable = require "skynet.internal.printable"
local shared = require "skynet.internal.shared"
local skynet = require "skynet"

local PATIENCE <const> = 100 -- 1/100 s

local PUBLISHED <const> = "@~" -- how addresses of published services begin

local M = {}

-- Set of addresses; nil: any.
local function read_allowed()
	local text = skynet.getenv "cluster_allow"
	if not text then
		return nil
	end
	local allowed = {}
	for word in string.gmatch(text, "[^%s,]+") do
		allowed[string.find(word, "^[@.]") and word or "@" .. word] = true
	end
	return allowed
end

-- One function, as its parts are closures over the same few tables, which an agent reads for each request.
function M.new(clusterd)
	local allowed = read_allowed()
	local names = { restricted = allowed ~= nil } -- restricted: not everything may be called
	local handles = {} -- "@name" -> handle
	local unsigned = {} -- name that has to be written with "@" -> what to say about that
	local asked = {} -- "@name" -> see skynet.internal.shared
	local asking = 0
	local one_less = setmetatable({}, {
		__close = function()
			asking = asking - 1
		end,
	})

	--- The handle of a registered name, nil if there is none. Yields the first time.
	---@param name string with its "@"
	---@return integer?
	function names.handle_of(name)
		local handle = handles[name]
		if handle then
			return handle
		end
		asking = asking + 1
		local _ <close> = one_less
		local answer = shared(asked, name, function()
			local known = handles
			local found = skynet.call(clusterd, "lua", "queryname", string.sub(name, 2))
			known[name] = found -- a table that is not used any more when names have changed meanwhile
			return found
		end)
		return answer
	end

	--- The handle or local name of an address, if it is known without a question; nil: `handle_of` and `fault_of` may know. Does not
	--- yield.
	---@param address integer|string
	---@return integer|string?
	function names.known(address)
		if type(address) == "string" then
			local sign = string.sub(address, 1, 1)
			return sign == "@" and handles[address] or (sign == "." or sign == ":") and address or nil
		end
		return address ~= 0 and address or nil
	end

	-- A name without "@", "." and ":" is one of the network of harbors. If no node has that, and the cluster has the same name
	-- with its sign, the sign was forgotten: returns what to say about that.
	local function missing_sign(name)
		if unsigned[name] or not names.handle_of("@" .. name) then
			return unsigned[name]
		end
		local known = pcall(skynet.call_timeout, PATIENCE, ".cslave", "lua", "QUERYNAME", name)
		if not known then
			unsigned[name] = string.format("'%s' is no name here; names of the cluster begin with @: '@%s'", name, name)
		end
		return unsigned[name]
	end

	--- Why an address leads nowhere; nil: it may lead somewhere. May yield.
	---@param address integer|string a handle, or a name that is none of the cluster
	---@return string?
	function names.fault_of(address)
		if type(address) ~= "string" then
			return nil
		elseif string.sub(address, 1, 1) == "@" then
			return "Invalid name"
		elseif not string.find(address, "^[.:]") then
			return missing_sign(address)
		end
	end

	--- Why other nodes may not call an address; nil: they may. Does not yield.
	---@param address integer|string as the other node has written it
	---@return string?
	function names.prohibition(address)
		if allowed == nil or allowed[address] then
			return nil
		elseif type(address) ~= "string" then
			return "this node can be called by names only (cluster_allow)"
		elseif string.sub(address, 1, #PUBLISHED) ~= PUBLISHED then
			return string.format("other nodes may not call %s here (cluster_allow)", printable(address))
		end
	end

	--- Tasks that wait for the answer to a question of another one.
	---@return integer
	function names.asking()
		return asking
	end

	--- Names have changed: ask again.
	function names.forget()
		handles, unsigned = {}, {}
	end

	return names
end

return M
