--- Answers that are to be given later: what `skynet.response` makes, and who waits for it.
---
--- What is dropped without having answered, as by a task that failed, can never answer any more. So the caller gets an error when the
--- collector has found that out. That costs a promise no finalizer of its own: the table of those that live is weak, and one object
--- for all tells when a collection has ended. A service that has promised something is collected also when it is small and quiet
--- (src/actor/service/quiet.rs), or its callers would wait for its next burst.

local core = require "skynet.core"
local pack_values = require "skynet.core".pack
local limitedlog = require "skynet.internal.limitedlog"
local runtime = require "skynet.internal.kernel"

local now, send, command = core.now, core.send, core.command
local getinfo = debug.getinfo

local RESPONSE <const>, ERROR <const> = 1, 7
local MANY <const>, PAUSE <const> = 1000, 100 -- with more promises, they are looked through that often; 1/100 s

local M = {}

local living = setmetatable({}, { __mode = "v" }) -- number -> what answers
local debts = {} -- number -> session and address of the caller in one integer; not answered yet
local places = {} -- number -> where it was made
local count, last = 0, 0 -- of debts; the last number
local is_careful = false -- something was dropped already: places are noted
local looked = -math.huge
local is_told = false -- the node knows that there are some
local sentinel = {}

local log = limitedlog()

local function pay(number)
	if debts[number] then
		debts[number], living[number], places[number] = nil, nil, nil
		count = count - 1
	end
end

-- A caller whose answer nobody can give any more.
local function fail(number)
	local debt, place = debts[number], places[number]
	local session, caller = debt >> 32, debt & 0xffffffff
	pay(number)
	send(caller, ERROR, session, "")
	is_careful = true
	log(
		string.format(
			"Maybe forgot response session %s from %s : what skynet.response made %s has not answered, and is gone: the call fails",
			session,
			runtime.api.address(caller),
			place and "at " .. place or "for it"
		)
	)
end

local is_armed = false

local function arm()
	is_armed = true
	setmetatable({}, sentinel)
end

function sentinel.__gc()
	is_armed = false
	if count == 0 then
		return
	end
	arm()
	if count > MANY and now() - looked < PAUSE then
		return
	end
	looked = now()
	for number in pairs(debts) do
		if not living[number] then
			fail(number)
		end
	end
end

--- What answers a request later; see `skynet.response`. Does not yield.
---@param caller integer
---@param session integer
---@param pack function?
---@return fun(ok: boolean|string, ...): boolean? respond
function M.new(caller, session, pack)
	pack = pack or pack_values
	local number = last + 1
	last = number
	local function respond(ok, ...)
		if ok == "TEST" then
			return debts[number] ~= nil
		end
		if not pack then
			error "Can't response more than once"
		end
		local sent = false
		if debts[number] then
			if ok then
				sent = send(caller, RESPONSE, session, pack(...))
				if sent == false then
					send(caller, ERROR, session, "")
				end
			else
				sent = send(caller, ERROR, session, "")
			end
			pay(number)
			sent = sent ~= nil
		end
		pack = nil
		return sent
	end
	if not is_told then
		is_told = true
		command "AWAITGC"
	end
	living[number], debts[number] = respond, session << 32 | caller
	count = count + 1
	if is_careful then
		local info = getinfo(3, "Sl")
		places[number] = info and string.format("%s:%d", info.short_src, info.currentline)
	end
	if not is_armed then
		arm()
	end
	return respond
end

--- A service has died: what was promised to it is dropped. Does not yield.
---@param source integer
function M.drop(source)
	for number, debt in pairs(debts) do
		if debt & 0xffffffff == source then
			pay(number)
		end
	end
end

--- This service ends: all who wait get an error. Does not yield.
function M.fail_all()
	for number, debt in pairs(debts) do
		pay(number)
		send(debt & 0xffffffff, ERROR, debt >> 32, "")
	end
end

runtime.promises = M

return M
