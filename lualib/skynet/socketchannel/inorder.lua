--- Links whose answers come in the order of the requests: each waiting task has brought the function
--- that reads its answer.

local skynet = require "skynet"
local socket = require "skynet.socket"
local settle = require "skynet.socketchannel.link".settle

local M = {}

function M.setup(link)
	link.line, link.first, link.last = {}, 1, 0 -- { ticket, response }
	-- No task reads between answers, so only this tells when the peer closes then.
	socket.onclose(link[1], function()
		if link.idle then
			link:break_off(nil, true)
		end
	end)
end

function M.expect(link, response, ticket)
	link.last = link.last + 1
	link.line[link.last] = { ticket, response }
	if link.idle then
		skynet.wakeup(link.line)
	end
end

local function read_answer(response, link)
	local ok, data, more = response(link)
	if not (ok and more) then
		return ok, data
	end
	local parts = { data }
	repeat
		ok, data, more = response(link)
		if not ok then
			return ok, data
		end
		parts[#parts + 1] = data
	until not more
	return true, parts
end

function M.dispatch(link)
	local line = link.line
	while not link.closed do
		local entry = line[link.first]
		if entry then
			local ok, data = read_answer(entry[2], link) -- if it raises, `abandon` tells the ticket
			line[link.first] = nil
			link.first = link.first + 1
			settle(entry[1], ok, data)
		else
			link.idle = true
			skynet.wait(line)
			link.idle = nil
		end
	end
end

--- Bytes that have come although nobody waits for an answer. Does not yield.
function M.surplus(link)
	return link.first > link.last and socket.pending(link[1]) or 0
end

function M.abandon(link, fail)
	for index = link.first, link.last do
		fail(link.line[index][1])
	end
	if link.idle then
		skynet.wakeup(link.line)
	end
end

return M
