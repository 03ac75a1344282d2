--- What nodes of a cluster tell each other beyond the protocol of the C core. It travels as requests for names, which every node
--- answers: one that does not know them says that there is no such name, and is asked nothing more.
---
---     cluster_hello 1 WORD ...       what the caller knows; the answer has what the called node knows
---     cluster_notice 1               is answered when the called node ends: "drain N", in so many 1/100 s at most
---
--- Words: `drain`; `window=REQUESTS/BYTES`, what the called node wants to have under way on a connection at most; `lz4=BYTES`: the
--- caller wants messages from this size on compressed, and the called node can do that.

local HELLO <const>, NOTICE <const> = "cluster_hello 1", "cluster_notice 1" -- patterns as well

local M = {}

-- Words as a table.
local function parse(text)
	local words = {}
	for name, value in string.gmatch(text, "(%w+)=?(%S*)") do
		words[name] = value
	end
	return words
end

-- What follows a pattern in a text.
local function after(text, pattern)
	return type(text) == "string" and string.match(text, "^" .. pattern .. "%f[%z ]%s*(.*)$") or nil
end

---------------------------------------------------------------- the side that asks

--- Whether the options need it. Does not yield.
---@param options table
---@return boolean
function M.is_wanted(options)
	for _, name in ipairs { "reconnect", "heartbeat", "window", "window_bytes", "compress" } do
		if (tonumber(options[name]) or 0) > 0 then
			return true
		end
	end
	return false
end

local function read_peer(answer)
	local words = parse(answer)
	local requests, bytes = string.match(words.window or "", "^(%d+)/(%d+)$")
	return {
		drain = words.drain ~= nil,
		lz4 = words.lz4 ~= nil,
		window = math.tointeger(tonumber(requests)),
		window_bytes = math.tointeger(tonumber(bytes)),
	}
end

--- Asks a node what it knows. Yields.
---@param options table of clusterd
---@param ask fun(name: string): any raises when there is no such name
---@param on_drain fun(time: integer) called in a task of its own when the node ends in so many 1/100 s
---@return table? peer nil: it knows nothing of this
function M.ask(options, ask, on_drain)
	local words = { HELLO, "drain" }
	if options.compress then
		words[#words + 1] = string.format("lz4=%d", math.max(0, options.compress) // 1 | 0)
	end
	local ok, answer = pcall(ask, table.concat(words, " "))
	if not ok or type(answer) ~= "string" then
		return nil
	end
	local peer = read_peer(answer)
	if peer.drain then
		local skynet = require "skynet"
		skynet.fork(function()
			local told, text = pcall(ask, NOTICE)
			local time = told and type(text) == "string" and string.match(text, "^drain (%d+)$")
			if time then
				on_drain(math.min(math.tointeger(tonumber(time)) or 0, 0x7fffffff))
			end
		end)
	end
	return peer
end

---------------------------------------------------------------- the side that answers

--- What the caller knows, if that is what it asks; nil: it asks for a name. Does not yield.
---@param name string
---@return table? words
function M.heard(name)
	local rest = after(name, HELLO)
	return rest and parse(rest)
end

--- What to answer. Does not yield.
---@param window integer? requests
---@param window_bytes integer? bytes
---@return string
function M.answer(window, window_bytes)
	local words = "drain lz4"
	if window or window_bytes then
		words = string.format("%s window=%d/%d", words, window or 0, window_bytes or 0)
	end
	return words
end

--- Whether the caller waits for notices. Does not yield.
---@param name string
---@return boolean
function M.wants_notice(name)
	return after(name, NOTICE) ~= nil
end

--- What it gets when this node ends in so many 1/100 s. Does not yield.
---@param time integer
---@return string
function M.notice(time)
	return string.format("drain %d", time)
end

return M
