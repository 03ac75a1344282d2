--- Calls to another node that wait for their answers without a task: who has asked is answered as soon as the answer is read.
---
---     local expect = clustercalls.new(finished)
---     if expect(channel, session, caller, their_session, bytes) then ... -- the running task need not answer its request any more

local cluster = require "skynet.cluster.core"
local core = require "skynet.core"
local skynet = require "skynet"
local socketchannel = require "skynet.socketchannel"
local runtime = require "skynet.internal.kernel"

local RESPONSE <const>, ERROR <const> = skynet.PTYPE_RESPONSE, skynet.PTYPE_ERROR

local send, trash, type = core.send, core.trash, type
local concat, finish = cluster.concat, cluster.finish
local lost = socketchannel.error

local M = {}

-- Addresses of memory of another process; the C project's module does not look for them.
local has_pointer = cluster.haspointer or function()
	return false
end

--- What the answer of a node is for who has asked. Does not yield.
---@param data string|string[]|userdata as the channel has it
---@return string|lightuserdata? msg, integer? sz, string? problem
function M.answer_of(data)
	local msg, sz = data, nil
	if type(data) == "userdata" then -- came in parts
		msg, sz = finish(data)
	elseif type(data) == "table" then
		msg, sz = concat(data)
	end
	if msg and has_pointer(msg, sz) then
		if sz then
			trash(msg, sz)
		end
		return nil, nil, "an answer of another node must have no light userdata"
	end
	return msg, sz
end

local channels = setmetatable({}, { __mode = "k" }) -- those that have calls

-- This service is killed.
local function fail_all()
	for channel in pairs(channels) do
		for _, ticket in pairs(channel.link and channel.link.tickets or {}) do
			if ticket.caller then
				send(ticket.caller, ERROR, ticket.session, "")
			end
		end
	end
end

--- Does not yield.
---@param finished fun(channel: table, problem: any, bytes: integer) called with each answer; problem: why there is none
---@return fun(channel: table, session: integer, caller: integer, caller_session: integer, bytes: integer): boolean expect false: there
--- is no connection at this moment
function M.new(finished)
	local function on_answer(ticket, ok, data)
		local msg, sz, problem
		if ok == lost then
			problem = data or lost
		elseif not ok then
			problem = data
		else
			msg, sz, problem = M.answer_of(data)
		end
		if problem or send(ticket.caller, RESPONSE, ticket.session, msg or "", sz) == false then -- false: it is too large
			send(ticket.caller, ERROR, ticket.session, "")
		end
		return finished(ticket.channel, problem, ticket.bytes)
	end

	runtime.on_release = fail_all
	return function(channel, session, caller, caller_session, bytes)
		channels[channel] = true
		return channel:expect(session, {
			channel = channel,
			caller = caller,
			session = caller_session,
			bytes = bytes,
			finish = on_answer,
		})
	end
end

return M
