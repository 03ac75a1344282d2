-- `.service`: unique services. On the standalone node also `SERVICE`, which keeps those that are
-- unique in the whole network; the other nodes ask it ("@name").
--
-- For each name: first asked for, then launched once, then answered from `known` (handle, or the
-- error of the start, which stays). A test may put another service in its place for a while.

local skynet = require "skynet"
require "skynet.manager"

local command = {}
local known = {} -- name -> handle | error text | { launch = request, and the requests that wait }
local replaced = {} -- name -> what was in `known` before each substitute of it, the first one first; n of them

local function wake_all(entry)
	for i, request in ipairs(entry) do
		entry[i] = nil
		skynet.wakeup(request.co)
	end
end

-- The start of `entry` has ended. If a substitute has the place meanwhile, what it replaced is that.
local function settle(name, entry, outcome)
	if known[name] == entry then
		known[name] = outcome
	end
	local former = replaced[name]
	for i = 1, former and former.n or 0 do
		if former[i] == entry then
			former[i] = outcome
		end
	end
	wake_all(entry)
end

-- The start has ended, or its task was killed.
local Start = {
	__close = function(start)
		settle(start.name, start.entry, start.outcome or "the task that starts " .. start.name .. " was killed")
	end,
}

-- Starts `name` by calling `starter(...)`. Yields.
local function launch(name, entry, starter, ...)
	local start <close> = setmetatable({ name = name, entry = entry }, Start)
	local ok, outcome = pcall(starter, ...)
	start.outcome = ok and outcome or tostring(outcome)
	if not ok then
		error(start.outcome)
	end
	return outcome
end

-- The handle of `name`, started by `starter` if need be; without a starter, waits for a service
-- else's. Yields.
local function find(name, starter, ...)
	local entry = known[name]
	if entry == nil then
		entry = {}
		known[name] = entry
	elseif type(entry) == "number" then
		return entry
	elseif type(entry) == "string" then
		error(entry)
	end

	local session, source = skynet.context()
	local request = { co = coroutine.running(), session = session, source = source }
	if starter and not entry.launch then
		entry.launch = request
		return launch(name, entry, starter, ...)
	end
	table.insert(entry, request)
	skynet.wait(request.co)
	local outcome = known[name]
	if type(outcome) ~= "number" then
		error(outcome)
	end
	return outcome
end

-- snax services all run as "snaxd"; their second word names them.
local function split_name(name, subname)
	local script = string.match(name, "^@(.*)") or name
	if script == "snaxd" then
		return script, name .. "." .. subname
	end
	return script, name
end

function command.LAUNCH(name, subname, ...)
	local script, key = split_name(name, subname)
	if script == "snaxd" then
		return find(key, require "skynet.snax".rawnewservice, subname, ...)
	end
	return find(key, skynet.newservice, script, subname, ...)
end

function command.QUERY(name, subname)
	local _, key = split_name(name, subname)
	return find(key)
end

--- SUBSTITUTE name, handle: that service is the unique one from now on; without a handle, what was so before the last substitute
--- is so again. For tests.
function command.SUBSTITUTE(name, handle)
	local former = replaced[name] or { n = 0 }
	if handle then
		replaced[name] = former
		local entry = known[name]
		former.n = former.n + 1
		former[former.n] = entry
		known[name] = handle
		if type(entry) == "table" then
			wake_all(entry) -- whoever waits for the service finds the substitute
		end
	elseif former.n > 0 then
		known[name] = former[former.n]
		former[former.n] = nil
		former.n = former.n - 1
		replaced[name] = former.n > 0 and former or nil
	end
end

local function describe_pending(entry)
	local lines = {}
	local starter = entry.launch
	if starter then
		local handle = skynet.call(".launcher", "lua", "QUERY", skynet.task(starter.co))
		if handle then
			lines[1] = "Init as " .. skynet.address(handle)
			lines[2] = tostring(skynet.call(handle, "debug", "TASK", "init"))
			lines[3] = "Launching from " .. skynet.address(starter.source)
			lines[4] = tostring(skynet.call(starter.source, "debug", "TASK", starter.session))
		end
	end
	if #entry > 0 then
		table.insert(lines, "Querying:")
	end
	for _, request in ipairs(entry) do
		local stack = skynet.call(request.source, "debug", "TASK", request.session)
		table.insert(lines, skynet.address(request.source) .. " " .. tostring(stack))
	end
	return table.concat(lines, "\n")
end

local function describe_all()
	local names = {}
	for name in pairs(known) do -- `known` may change while the loop below waits
		names[#names + 1] = name
	end
	local list = {}
	for _, name in ipairs(names) do
		local entry = known[name]
		if type(entry) == "string" then
			list[name] = "Error: " .. entry
		elseif type(entry) == "number" then
			list[name] = skynet.address(entry)
		else
			list[name] = describe_pending(entry)
		end
	end
	return list
end

-- The node that keeps the network's names.
local function serve_network()
	local nodes = {} -- service managers of the other nodes

	function command.GLAUNCH(name, ...)
		return command.LAUNCH("@" .. name, ...)
	end

	function command.GQUERY(name, ...)
		return command.QUERY("@" .. name, ...)
	end

	function command.REPORT(manager)
		nodes[manager] = true
	end

	function command.LIST()
		local list = {}
		for manager in pairs(nodes) do
			local ok, remote = pcall(skynet.call, manager, "lua", "LIST")
			for name, text in pairs(ok and remote or {}) do
				list[name .. "@" .. skynet.harbor(manager)] = text
			end
		end
		for name, text in pairs(describe_all()) do
			list[name] = text
		end
		return list
	end
end

-- Any other node: asks `SERVICE`, and remembers its answers.
local function ask_network()
	local function forward(request, name, ...)
		local global_name = "@" .. name
		local _, key = split_name(global_name, (...))
		return find(key, skynet.call, "SERVICE", "lua", request, global_name, ...)
	end

	function command.GLAUNCH(...)
		return forward("LAUNCH", ...)
	end

	function command.GQUERY(...)
		return forward("QUERY", ...)
	end

	command.LIST = describe_all
	skynet.call("SERVICE", "lua", "REPORT", skynet.self())
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		local run = command[name]
		if not run then
			return skynet.retpack(nil, "Invalid command " .. name)
		end
		local ok, result = pcall(run, ...)
		if ok then
			skynet.retpack(result)
		else
			skynet.retpack(nil, result)
		end
	end)

	local other = skynet.localname ".service"
	if other then
		skynet.error(".service is already register by ", skynet.address(other))
		skynet.exit()
	end
	skynet.register ".service"
	if skynet.getenv "standalone" then
		skynet.register "SERVICE"
		serve_network()
	else
		ask_network()
	end
end)
