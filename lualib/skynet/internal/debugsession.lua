--- One editor that debugs this node: its requests in the Debug Adapter Protocol, and events for it. Part of
--- service/debug_adapter.lua.
---
--- A service is a thread of the protocol, numbered by its handle. While it is stopped, its tasks that wait are threads too, numbered
--- handle + n * 2^32. What concerns the inside of a stopped service is passed on to its agent (debugagent.lua).

local skynet = require "skynet"
local core = require "skynet.core"
local arguments_of = require "skynet.internal.debugarguments"
local asked = require "skynet.internal.debugasked"
local breakpoints = require "skynet.internal.debugbreakpoints"
local capabilities = require "skynet.internal.debugcapabilities"
local debugger = require "skynet.debugger"
local json = require "skynet.internal.json"
local notices = require "skynet.internal.debugnotices"
local printable = require "skynet.internal.printable"
local sources = require "skynet.internal.debugsources"

local TASK <const> = 1 << 32
local SLOT <const> = 1 << 24 -- as in debugagent.lua
local MOST_THREADS <const> = 1000
local MOST_BREAKPOINTS <const> = 10000 -- in a file
local MISSED_TIME <const> = 100 -- 1/100 s between two lines about what was left out
local MOST_BYTES <const> = 256 * 1024 -- of a request, but of one that sets breakpoints
local LONGEST_NAME <const> = 64 -- bytes of the name of a request
local IDLE_TIME <const> = 5 -- 1/100 s that a service that is to pause may take by itself

local Session = {}
Session.__index = Session

--- A session. `options`: `write(text)` sends JSON; `check(password)` tells whether an editor may attach; `finish()` ends the
--- connection.
local function new(options)
	return setmetatable({
		write = options.write,
		check = options.check,
		finish = options.finish,
		sequence = 0,
		attached = false,
		stopped = {}, -- handle -> { slot, tasks = number of them, names = those of the tasks }
		slots = {}, -- slot -> handle
		last_slot = 0, -- that was taken
		pausing = {}, -- handle -> a token of the request for a pause that it has not met yet
		asked = asked.new(),
		breakpoint_count = 0, -- numbers that were given
		breakpoints = breakpoints.new(),
		filters = { caught = false, uncaught = false },
		sources = sources.new {},
		notices = 0,
		missed = 0,
	}, Session)
end

---------------------------------------------------------------- messages

--- What is asked for, as it stands in an answer: not longer than names are.
local function name_of(request)
	return printable(request.command, LONGEST_NAME)
end

--- The number of the next message.
function Session:number()
	self.sequence = self.sequence + 1
	return self.sequence
end

--- Sends an event.
function Session:event(name, body)
	self.write(json.encode { seq = self:number(), type = "event", event = name, body = body })
end

--- An answer to a request, as yet without a body.
function Session:answer_to(request, success)
	return {
		seq = self:number(),
		type = "response",
		request_seq = request.seq,
		command = request.command,
		success = success,
	}
end

--- Answers a request.
function Session:respond(request, body)
	local answer = self:answer_to(request, true)
	answer.body = body
	self.write(json.encode(answer))
end

--- Answers a request that has failed.
function Session:refuse(request, problem)
	local answer = self:answer_to(request, false)
	answer.message = problem
	answer.body = { error = { id = 1, format = string.gsub(problem, "[{}]", "%0%0"), showUser = false } }
	self.write(json.encode(answer))
end

---------------------------------------------------------------- services

local function service_name(handle, arguments)
	return string.format("%08x %s", handle, printable(arguments))
end

-- The service, and the number of its task or 0.
local function split(thread)
	thread = math.tointeger(thread) or 0
	return thread % TASK, thread // TASK
end

--- A request is about a stop that is over: an editor asks for variables that it still shows.
function Session:miss_stop(request, problem)
	if request.command == "variables" then
		return self:respond(request, { variables = json.list {} })
	end
	self:refuse(request, problem)
end

--- The service runs again, or is gone: its tasks are no threads any more, and what its agent was asked has no answer.
function Session:forget_stop(handle)
	local stopped = self.stopped[handle]
	if not stopped then
		return
	end
	self.stopped[handle], self.slots[stopped.slot] = nil, nil
	for n = 1, stopped.tasks do
		self:event("thread", { reason = "exited", threadId = handle + n * TASK })
	end
	self.asked:take_all(handle, function(request)
		self:miss_stop(request, "the service runs again")
	end)
end

-- Passes a request on to the agent of a stopped service; `before(body)` may change what it answers.
local function ask_agent(session, request, handle, task, before)
	local stopped = session.stopped[handle]
	local problem = session.asked:problem(request)
	if problem then
		return session:refuse(request, problem)
	end
	local arguments = request.arguments or {}
	arguments.task = task
	local text = stopped
		and json.encode {
			seq = request.seq,
			slot = stopped.slot,
			command = request.command,
			arguments = arguments,
		}
	if not text or not debugger.post(handle, text) then
		return session:miss_stop(request, "the service is not stopped")
	end
	session.asked:add(request, handle, before)
end

-- Which service a frame or a variable belongs to.
local function owner_of(session, reference)
	return session.slots[(math.tointeger(reference) or 0) // SLOT]
end

---------------------------------------------------------------- requests

local requests = {}

function requests.initialize(session, request)
	session.initialized = true
	local arguments = request.arguments or {}
	session.line_offset = arguments.linesStartAt1 == false and 1 or 0
	session:respond(request, capabilities)
end

local function set_options(session)
	debugger.options {
		caught = session.filters.caught,
		uncaught = session.filters.uncaught,
		justmycode = session.just_my_code,
		entry = session.entry,
	}
	session.entry = nil
end

local function attach(session, request)
	local arguments = request.arguments or {}
	if session.attached then
		return session:refuse(request, "attached already")
	elseif not session.check(arguments.password) then
		return session:refuse(request, "the password is wrong (config key debug_adapter_password)")
	end
	debugger.attach()
	session.attached = true
	session.sources = sources.new(arguments)
	session.just_my_code = arguments.justMyCode ~= false
	session.entry = arguments.stopOnEntry == true
	session.owns_node = request.command == "launch"
	set_options(session)
	session:respond(request)
	session:event("initialized")
end

requests.attach, requests.launch = attach, attach

function requests.configurationDone(session, request)
	session:respond(request)
	debugger.ready()
end

function requests.disconnect(session, request)
	if not session.attached then
		-- It may be anybody: nothing but the connection ends.
		session:respond(request)
		return session.finish()
	end
	local ends = request.arguments.terminateDebuggee
	if ends == nil then
		ends = session.owns_node
	end
	session.attached = false
	debugger.detach()
	session:respond(request)
	session.finish()
	if ends then
		core.command("SHUTDOWN", "begin")
	end
end

function requests.terminate(session, request)
	session:respond(request)
	session.attached = false
	debugger.detach()
	session:event "terminated"
	session.finish()
	core.command("SHUTDOWN", "begin")
end

function requests.threads(session, request)
	local list = json.list {}
	local others = {}
	for _, service in ipairs(debugger.services()) do
		local handle = service[1]
		local thread = { id = handle, name = service_name(handle, service[2]) }
		local stopped = session.stopped[handle]
		if stopped then
			list[#list + 1] = thread
			for n = 1, stopped.tasks do
				list[#list + 1] = { id = handle + n * TASK, name = string.format("%08x %s", handle, stopped.names[n]) }
			end
		else
			others[#others + 1] = thread
		end
	end
	for i = 1, math.min(#others, MOST_THREADS) do
		list[#list + 1] = others[i]
	end
	session:respond(request, { threads = list })
end

local function with_sources(session, body)
	local shift = session.line_offset or 0
	for _, frame in ipairs(body.stackFrames) do
		if frame.source and frame.source.path then
			frame.source = session.sources:there(frame.source.path)
			if not frame.presentationHint then
				frame.source.presentationHint = nil
			end
		end
		frame.line = math.max(frame.line - shift, 0)
	end
	body.stackFrames = json.list(body.stackFrames)
end

function requests.stackTrace(session, request)
	local handle, task = split(request.arguments.threadId)
	ask_agent(session, request, handle, task, function(body)
		with_sources(session, body)
	end)
end

-- Requests that name a frame or a variable.
local function by_reference(field)
	return function(session, request)
		local handle = owner_of(session, request.arguments[field])
		if not handle then
			return session:miss_stop(request, "the service is not stopped")
		end
		ask_agent(session, request, handle)
	end
end

requests.scopes = by_reference "frameId"
requests.variables = by_reference "variablesReference"
requests.setVariable = by_reference "variablesReference"

-- What is typed without a frame is meant for a service that is stopped, if there is but one.
local function only_stopped(session)
	local handle = next(session.stopped)
	return handle and next(session.stopped, handle) == nil and handle or nil
end

local function evaluate(session, request)
	local arguments = request.arguments
	local handle = arguments.frameId and owner_of(session, arguments.frameId) or only_stopped(session)
	if not handle then
		return session:refuse(request, "no service is stopped in which this could be evaluated")
	end
	ask_agent(session, request, handle)
end

requests.evaluate, requests.setExpression = evaluate, evaluate

function requests.exceptionInfo(session, request)
	ask_agent(session, request, (split(request.arguments.threadId)))
end

-- Lets a service go on: all of its tasks do.
local function go_on(session, request)
	local handle, task = split(request.arguments.threadId)
	local stopped = session.stopped[handle]
	if not stopped then
		return session:refuse(request, "the service is not stopped")
	end
	-- First the answer: what the service does next may be to end the node.
	session:respond(request, { allThreadsContinued = false })
	session:forget_stop(handle)
	if task ~= 0 and request.command == "continue" then
		session:event("continued", { threadId = handle, allThreadsContinued = false })
	end
	local order = { seq = request.seq, slot = stopped.slot, command = request.command, arguments = { task = task } }
	debugger.post(handle, json.encode(order), true) -- not if it has been killed: it goes on by itself then
end

requests.continue, requests.next, requests.stepIn, requests.stepOut = go_on, go_on, go_on, go_on

function requests.pause(session, request)
	local handle = split(request.arguments.threadId)
	if session.stopped[handle] then
		return session:refuse(request, "the service is stopped already")
	end
	local runs = debugger.pause(handle)
	if runs == nil then
		return session:refuse(request, "there is no such Lua service")
	end
	session:respond(request)
	local token = {}
	session.pausing[handle] = token
	-- It stops in the application's code if it comes to any soon. One that has no message gets one which is harmless.
	skynet.timeout(IDLE_TIME, function()
		if session.attached and session.pausing[handle] == token and not debugger.pause(handle, true) then
			skynet.redirect(handle, 0, "debug", 0, skynet.pack "PING")
		end
	end)
end

---------------------------------------------------------------- sources and breakpoints

function requests.source(session, request)
	local arguments = request.arguments
	local path = session.sources:here(arguments.source or { sourceReference = arguments.sourceReference })
	if not path then
		return session:refuse(request, "there is no such source")
	end
	local text, problem = session.sources:text(path)
	if not text then
		return session:refuse(request, problem)
	end
	session:respond(request, { content = text, mimeType = "text/x-lua" })
end

function requests.setBreakpoints(session, request)
	local arguments = request.arguments
	local wanted = arguments.breakpoints or {}
	if #wanted > MOST_BREAKPOINTS then
		return session:refuse(request, string.format("more than %d breakpoints in a file", MOST_BREAKPOINTS))
	end
	local path = session.sources:here(arguments.source)
	local shown, list = json.list {}, {}
	if not path then
		for i in ipairs(wanted) do
			shown[i] = { verified = false, message = "the source has no file" }
		end
		return session:respond(request, { breakpoints = shown })
	end
	local shift = session.line_offset or 0
	for _, breakpoint in ipairs(wanted) do
		breakpoint.line = math.tointeger(breakpoint.line + shift) or 0
	end
	session.breakpoints:forget(path)
	for i, place in ipairs(session.sources:places(path, wanted)) do
		local b = wanted[i]
		local texts = { b.condition or "", b.hitCondition or "", b.logMessage or "" }
		local problem = place.verified and session.breakpoints:add(path, table.unpack(texts))
		if problem then
			place.verified, place.message = false, problem
		end
		session.breakpoint_count = session.breakpoint_count + 1
		shown[i] = {
			id = session.breakpoint_count,
			verified = place.verified,
			line = place.line - shift,
			message = place.message,
			source = session.sources:there(path),
		}
		if place.verified then
			list[#list + 1] = { session.breakpoint_count, place.line, table.unpack(texts) }
		end
	end
	debugger.breakpoints(path, list)
	session:respond(request, { breakpoints = shown })
end

function requests.setExceptionBreakpoints(session, request)
	session.filters = { caught = false, uncaught = false }
	for _, filter in ipairs(request.arguments.filters or {}) do
		session.filters[filter] = true
	end
	set_options(session)
	session:respond(request)
end

function requests.setFunctionBreakpoints(session, request)
	session:respond(request, { breakpoints = json.list {} })
end

--- Handles one message of the editor. Does not yield, but for the check of a password.
---@param text string JSON
---@return string? problem why the connection has to end
function Session:handle(text)
	local ok, request = pcall(json.decode, text)
	if not ok or type(request) ~= "table" or math.type(request.seq) ~= "integer" then
		return "a message that is none of the protocol"
	elseif request.type ~= "request" or type(request.command) ~= "string" then
		return -- answers to requests of the adapter: there are none
	end
	if #text > MOST_BYTES and request.command ~= "setBreakpoints" then
		request.command = name_of(request)
		return self:refuse(request, string.format("the request has more than %d bytes", MOST_BYTES))
	end
	local handler = requests[request.command]
	local first = request.command == "initialize" or request.command == "disconnect"
	if not handler then
		request.command = name_of(request)
		self:refuse(request, "this adapter has no request " .. request.command)
	elseif not first and not self.initialized then
		self:refuse(request, "the first request has to be initialize")
	elseif not first and handler ~= attach and not self.attached then
		self:refuse(request, "attach first")
	else
		if type(request.arguments) ~= "table" then
			request.arguments = {}
		end
		local problem = arguments_of.problem(request.command, request.arguments)
		if problem then
			return self:refuse(request, problem)
		end
		local done, failure = pcall(handler, self, request)
		if not done then
			skynet.error(string.format("debug_adapter: %s: %s", request.command, tostring(failure)))
			self.asked:take(request.seq)
			self:refuse(request, "the request is malformed")
		end
	end
end

--- So many notices were left out: services had more to tell than this session could read.
function Session:miss(count)
	if count == 0 then
		return
	elseif self.missed == 0 then
		skynet.timeout(MISSED_TIME, function()
			local missed = self.missed
			self.missed = 0
			if self.attached then
				self:event("output", {
					category = "important",
					output = string.format(
						"%d lines are left out: services write, or reach places to stop, faster than an editor can be told\n",
						missed
					),
				})
			end
		end)
	end
	self.missed = self.missed + count
end

--- Something that a service, or what watches it, has to tell.
function Session:hear(handle, kind, text)
	local handler = notices[kind]
	if handler and self.attached then
		handler(self, handle, text)
	end
end

--- The connection is gone.
function Session:close()
	if self.attached then
		self.attached = false
		debugger.detach()
	end
end

return { new = new, name_of = name_of }
