--- One connection of a socket channel, from connected to closed. A new connection is a new link, so
--- what belongs to the old one cannot get into the new one.
---
--- A kind of link (inorder, bysession) has:
---   setup(link)                       adds its fields
---   dispatch(link)                    reads answers until the link is closed; raises when it is lost
---   expect(link, response, ticket)    a task waits for an answer
---   abandon(link, fail)               calls fail(ticket) for all that still wait
---
--- A ticket stands for a task that waits: { ok =, data =, done = }; or for an answer that a function takes, in the place of a
--- task: its field `finish`. That must not yield or raise.

local skynet = require "skynet"
local socket = require "skynet.socket"

local M = {}
local lost_callback = setmetatable({}, { __mode = "k" })

-- Errors of connections are equal to each other, so `problem == socketchannel.error` holds for all.
local Failure
Failure = {
	__eq = function(a, b)
		return getmetatable(a) == Failure and getmetatable(b) == Failure
	end, -- Lua asks for one of two
	__tostring = function(self)
		return self.refusal or "[Error: socket]"
	end,
	__concat = function(a, b)
		return tostring(a) .. tostring(b)
	end,
}

--- Raised where a connection is lost.
M.error = setmetatable({}, Failure)

--- The same with a reason, in the field `reason`. Its text is the reason only if the server has refused the log-in: programs
--- compare the other one.
---@param reason any nil: none is known
---@param refused boolean?
function M.failure(reason, refused)
	if reason == nil or reason == M.error then
		return type(reason) == "table" and reason or M.error
	end
	reason = tostring(reason)
	return setmetatable({ reason = reason, refusal = refused and reason }, Failure)
end

local function reader(read)
	return function(self, ...)
		local bytes = read(self[1], ...)
		if not bytes then
			error(M.error)
		end
		return bytes
	end
end

local read = reader(socket.read)

local function readline(self, separator, most)
	local line, rest = socket.readline(self[1], separator, most)
	if line then
		return line
	elseif rest == nil then
		error(string.format("the server has sent a line of more than %d bytes", most), 0)
	end
	error(M.error)
end

--- Ends a ticket and wakes its task, unless that has given up, or calls its function.
function M.settle(ticket, ok, data)
	if ticket.done then
		return
	end
	ticket.ok, ticket.data, ticket.done = ok, data, true
	local finish = ticket.finish
	if finish then
		return finish(ticket, ok, data)
	end
	skynet.wakeup(ticket)
end

--- A constructor of links: new(fd, lost), with lost(link, while_idle) called when the connection is lost.
---@param kind table
---@param options { socket_read: function?, socket_readline: function?, request_timeout: integer? }
---@return function new
function M.class(kind, options)
	local Link = {
		read = options.socket_read or read,
		readline = options.socket_readline or readline,
	}
	Link.__index = Link
	local timeout = options.request_timeout

	--- Closes the connection and fails who waits, with `problem` or M.error. Yields.
	function Link:close(problem)
		if self.closed then
			return
		end
		self.closed = true
		kind.abandon(self, function(ticket)
			M.settle(ticket, M.error, problem)
		end)
		-- A task that reads gets false from this, and ends.
		pcall(socket.close, self[1])
	end

	--- Waits for an answer. Yields. Returns its data, or raises it.
	function Link:await(response)
		if self.closed then
			error(M.error)
		end
		local ticket = {}
		kind.expect(self, response, ticket)
		if not timeout then
			skynet.wait(ticket)
		else
			skynet.sleep(timeout, ticket)
			if not ticket.done then
				ticket.done = true
				error("request timeout", 0)
			end
		end
		local ok, data = ticket.ok, ticket.data
		if ok == M.error then
			error(data or M.error, 0)
		elseif not ok then
			error(data, 0)
		end
		return data
	end

	--- The connection is lost: fails who waits and tells the channel. Yields.
	function Link:break_off(problem, while_idle)
		if not self.closed then
			lost_callback[self](self, while_idle)
			self:close(problem)
		end
	end

	return function(fd, lost)
		local link = setmetatable({ fd }, Link)
		lost_callback[link] = lost
		kind.setup(link)
		skynet.fork(function()
			local _ <close> = setmetatable({}, {
				__close = function()
					link:break_off() -- this task was killed, or else it is closed already
				end,
			})
			local _, problem = pcall(kind.dispatch, link)
			link:break_off(problem ~= M.error and problem or nil)
		end)
		return link
	end
end

return M
