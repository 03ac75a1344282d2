--- How a clusteragent takes a connection over from the clusterlistener that has read its beginning, without a byte lost or in
--- another order.
---
--- The agent starts the socket, which makes it the owner: what comes from then on, comes to it. What came before has gone to the
--- listener, and is there when the first event of the new owner is here; so the listener is asked then.

local driver = require "skynet.socketdriver"
local skynet = require "skynet"

-- Of the events in skynet_socket.h.
local DATA <const>, CLOSED <const>, FAILED <const> = 1, 3, 5

local M = {}

--- Takes a connection over. Does not yield.
---@param fd integer
---@param listener integer handle of a clusterlistener
---@param done fun(bytes: string?, is_proved: boolean?, end_reason: string|boolean) called in a task, with all that has come: nil when
--- there is no connection any more; end_reason: false, or true when it has ended, or the error that it has ended with
---@return fun(msg: lightuserdata, sz: integer) note takes the messages of the socket until then
function M.begin(fd, listener, done)
	local pieces, ended, is_asked = {}, false, false

	local function ask()
		local ok, bytes, is_proved, has_ended = pcall(skynet.call, listener, "lua", "take", fd)
		if ok and bytes then
			-- In this order: what had ended well cannot be started, and that is no fault of the caller.
			done(bytes .. table.concat(pieces), is_proved, has_ended or ended)
		else
			done(nil, nil, ended)
		end
	end

	driver.start(fd)
	return function(msg, sz)
		local kind, _, size, data = driver.unpack(msg, sz)
		if kind == DATA then
			pieces[#pieces + 1] = skynet.tostring(data, size)
			skynet.trash(data, size)
		elseif kind == CLOSED or kind == FAILED then
			ended = kind == FAILED and data or ended or true
		end
		if not is_asked then
			is_asked = true
			skynet.fork(ask)
		end
	end
end

return M
