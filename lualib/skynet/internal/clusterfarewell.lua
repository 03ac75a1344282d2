--- How a connection of another node to this one ends in order, for its clusteragent: `drain`.
---
--- A caller that waits for the notice (see skynet.internal.clusterhello) gets it, asks elsewhere from then on, and ends the connection
--- itself when nothing is under way any more. Others know nothing of this: they are served until they ask nothing for a moment,
--- and connect again when they have something to ask.

local skynet = require "skynet"

local QUIET <const> = 10 -- 1/100 s without a request, after which the connection of such a caller is ended
local LOOK <const> = 2 -- 1/100 s between two looks
local LAST <const> = 100 -- when the time is over, nothing more is read, and what has been read has so many 1/100 s

local M = {}

local notice -- session of the caller's question
local is_told = false -- the caller ends the connection
local connection -- functions, once it has begun
local limit -- until then, by skynet.now
local asked_at, served = 0, 0
local responses = {} -- to those who have asked for it

--- The caller wants to be told. Does not yield.
---@param session integer
function M.wants(session)
	notice = session
	if connection then
		is_told = true
		connection.tell(session)
	end
end

--- There is a request. Does not yield.
function M.asked()
	if connection then
		asked_at, served = skynet.now(), served + 1
	end
end

local function end_at_last()
	connection.stop_reading()
	local last = skynet.now() + LAST
	while connection.in_work() > 0 and skynet.now() < last do
		skynet.sleep(LOOK)
	end
	connection.finish()
end

local function watch()
	while skynet.now() < limit do
		if not is_told and connection.in_work() == 0 and skynet.now() - asked_at >= QUIET then
			return connection.finish()
		end
		skynet.sleep(LOOK)
	end
	end_at_last()
end

--- Begins; the running task's request is answered at the end: requests that came meanwhile, and those without an answer. Does not
--- yield.
---@param time integer 1/100 s
---@param its_connection { tell: fun(session: integer), in_work: (fun(): integer), stop_reading: fun(), finish: fun() }
function M.begin(time, its_connection)
	table.insert(responses, skynet.response())
	limit = skynet.now() + time
	if not connection then
		connection, asked_at = its_connection, skynet.now()
		skynet.fork(watch)
		if notice then
			M.wants(notice)
		end
	end
end

--- The connection has ended. Does not yield.
---@param in_work integer requests without an answer
function M.ended(in_work)
	for _, respond in ipairs(responses) do
		respond(true, served, in_work)
	end
end

return M
