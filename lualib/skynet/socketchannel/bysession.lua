--- Links whose answers tell the session they belong to.

local skynet = require "skynet"
local ratelimit = require "skynet.internal.ratelimit"
local settle = require "skynet.socketchannel.link".settle

--- A kind of link.
---@param response fun(sock: table): any, boolean, any, boolean? reads one answer: session (nil ends the
--- connection), ok, data, and whether more parts follow
---@return table kind
return function(response)
	local M = {}

	function M.setup(link)
		link.tickets = {}
		link.unmatched = ratelimit(10, 100) -- answers that no task waits for: late ones, or those of a server that makes them up
	end

	function M.expect(link, session, ticket)
		link.tickets[session] = ticket
	end

	function M.dispatch(link)
		local tickets = link.tickets
		while not link.closed do
			local session, ok, data, more = response(link)
			if not session then
				return
			end
			local ticket = tickets[session]
			if ticket == nil then
				local more = link.unmatched()
				if more then
					skynet.error("socket: unknown session :", tostring(session) .. more)
				end
			elseif ok and more then
				ticket.parts = ticket.parts or {}
				table.insert(ticket.parts, data)
			else
				tickets[session] = nil
				if ok and ticket.parts then
					table.insert(ticket.parts, data)
					data = ticket.parts
				end
				settle(ticket, ok, data)
			end
		end
	end

	function M.abandon(link, fail)
		local tickets = link.tickets
		link.tickets = {}
		for _, ticket in pairs(tickets) do
			fail(ticket)
		end
	end

	return M
end
