--- Lines of the log with a level, below which a service writes none.
---
---     local log = require "skynet.log"
---     log.info("player", id, "has come")      -- [:0000000a] info: player 12 has come
---     log.debug("bag", function() return dump(bag) end)
---
--- A service begins with the level of the config key `log_level` ("info"); `set_level` changes it, and so does `loglevel` in the
--- debug console while the service runs. `skynet.error` has no level and is always written.

local skynet = require "skynet"

---@class skynet.log
local M = {}

local LEVELS <const> = { "debug", "info", "warning", "error", "off" }
local ranks = {}
for rank, name in ipairs(LEVELS) do
	ranks[name] = rank
end

local DEBUG <const>, INFO <const>, WARNING <const>, ERROR <const> = 1, 2, 3, 4

local function rank_of(level)
	return ranks[level]
		or error(string.format("log level %s: one of %s", tostring(level), table.concat(LEVELS, ", ")), 3)
end

local least = rank_of(skynet.getenv "log_level" or "info")

-- Functions among the values are called: what is costly to say is only made when it is written.
local function write(head, ...)
	local values = table.pack(...)
	for i = 1, values.n do
		if type(values[i]) == "function" then
			values[i] = values[i]()
		end
	end
	skynet.error(head, table.unpack(values, 1, values.n))
end

--- Writes a line if the level is "debug". Functions among the values are called for what they return. Does not yield.
---@param ... any
function M.debug(...)
	if least <= DEBUG then
		write("debug:", ...)
	end
end

--- Writes a line if the level is "info" or "debug". Does not yield.
---@param ... any as for `debug`
function M.info(...)
	if least <= INFO then
		write("info:", ...)
	end
end

--- Writes a line unless the level is "error" or "off". Does not yield.
---@param ... any as for `debug`
function M.warning(...)
	if least <= WARNING then
		write("warning:", ...)
	end
end

--- Writes a line unless the level is "off". Does not yield.
---@param ... any as for `debug`
function M.error(...)
	if least <= ERROR then
		write("error:", ...)
	end
end

--- The level of this service. Does not yield.
---@return "debug"|"info"|"warning"|"error"|"off"
function M.level()
	return LEVELS[least]
end

--- Sets the level of this service. Does not yield.
---@param level "debug"|"info"|"warning"|"error"|"off" raises for another word
---@return string former
function M.set_level(level)
	local former = LEVELS[least]
	least = rank_of(level)
	return former
end

--- Whether a line of that level would be written. Does not yield.
---@param level "debug"|"info"|"warning"|"error"
---@return boolean
function M.writes(level)
	return least <= rank_of(level)
end

return M
