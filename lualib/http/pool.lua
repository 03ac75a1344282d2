--- Connections of a client to servers, kept for the next request (RFC 9112 §9.3).

local skynet = require "skynet"
local socket = require "skynet.socket"
local deadlines = require "http.deadline"

local M = {}

-- The most unused connections to one server.
local MOST <const> = 16

local idle = {} -- key -> list of interfaces, the last used one at the end

local function remove(key, interface)
	local list = idle[key]
	for i = #list, 1, -1 do
		if list[i] == interface then
			table.remove(list, i)
			break
		end
	end
	if #list == 0 then
		idle[key] = nil
	end
	socket.onclose(interface.id, nil)
	interface.idle_deadline:clear()
	interface.idle_deadline = nil
end

-- Whether nothing has happened to a connection: its end, or bytes that were not asked for.
local function is_fresh(interface)
	return socket.disconnected(interface.id) == false and socket.pending(interface.id) == 0
end

--- Takes a connection out. Does not yield.
---@param key string
---@param close fun(interface: table) is called in a task of its own for one that cannot be used any more
---@return table? interface
function M.take(key, close)
	while idle[key] do
		local list = idle[key]
		local interface = list[#list]
		remove(key, interface)
		if is_fresh(interface) then
			return interface
		end
		skynet.fork(close, interface)
	end
end

--- Keeps a connection. Does not yield.
---@param key string
---@param interface table with `id`, its socket
---@param time integer 1/100 s, after which it is closed
---@param close fun(interface: table)
---@return boolean kept
function M.put(key, interface, time, close)
	local list = idle[key] or {}
	if #list >= MOST or not is_fresh(interface) then
		return false
	end
	local function drop()
		if interface.idle_deadline then
			remove(key, interface)
			close(interface)
		end
	end
	list[#list + 1] = interface
	idle[key] = list
	interface.idle_deadline = deadlines.new(interface.id, drop)
	interface.idle_deadline:set(time)
	socket.onclose(interface.id, drop)
	return true
end

return M
