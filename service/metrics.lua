-- Figures of the node for Prometheus: "metrics port" or "metrics address port"; on 127.0.0.1 by default.
--
-- Answers GET /metrics in the text format 0.0.4, /livez and /readyz for who watches over the node. Nothing is asked of other services but their names of the launcher, and
-- what clusterd knows, so a service that is stuck or behind with its messages is shown like any other. docs/operations.md lists the
-- metrics.

local skynet = require "skynet"
local core = require "skynet.core"
local memory = require "skynet.memory"
local socket = require "skynet.socket"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"
local admission = require "skynet.internal.admission"
local defer = require "skynet.internal.defer"
local setting = require "skynet.internal.setting"

local PATIENCE <const> = 5 -- seconds for a request
local ANSWER_PATIENCE <const> = 60 -- seconds until what the dashboard has asked for is answered and read
local NAMES_PATIENCE <const> = 100 -- 1/100 s for the launcher's list
local MOST_CLIENTS <const> = 64
local MOST_NAMES <const> = 200 -- further services are shown together, as "(other)"

local arguments = table.pack(...)
assert(arguments.n >= 1 and arguments.n <= 2, "metrics [address] port")
local address = arguments.n == 2 and arguments[1] or "127.0.0.1"
local port = assert(tonumber(arguments[arguments.n]), "metrics: the port is no number")

local dashboard ---@type table?
if skynet.getenv "dashboard" or skynet.getenv "dashboard_password" then
	local module = require "skynet.internal.dashboard"
	dashboard = module.is_wanted() and module or nil
end

---------------------------------------------------------------- names of services

-- Scripts whose first argument says more than they do.
local SHELLS <const> = { snaxd = true, service_cell = true }

-- Handle (as text) -> name. Arguments are left out: they make names without end, and may be secrets.
local known = {}
local clusterd -- its handle, if there is one

local function short_name(line)
	local module, script, first = string.match(line, "^(%S+)%s*(%S*)%s*(%S*)")
	if module ~= "snlua" or script == "" then
		return module
	elseif SHELLS[script] and first ~= "" then
		return script .. " " .. first
	end
	return script
end

local function learn_names()
	local ok, list = pcall(skynet.call_timeout, NAMES_PATIENCE, ".launcher", "lua", "LIST")
	ok = ok and type(list) == "table"
	if ok then
		known, clusterd = {}, nil
		for handle, line in pairs(list) do
			known[handle] = short_name(line)
			if line == "snlua clusterd" then
				clusterd = handle
			end
		end
	end
	local launcher = skynet.localname ".launcher"
	if launcher then
		known[skynet.address(launcher)] = "launcher"
	end
	return ok
end

---------------------------------------------------------------- figures by name

local names, name_count = {}, 0 -- name -> sums that only grow: { messages, cpu }
local seen = {} -- handle -> what was added of it already: { messages, cpu }

local function entry_of(name)
	local sums = names[name]
	if sums == nil then
		if name_count >= MOST_NAMES and name ~= "(other)" then
			return entry_of "(other)"
		end
		name_count = name_count + 1
		sums = { name = name, messages = 0, cpu = 0.0 }
		names[name] = sums
	end
	return sums
end

-- List of tables, one for each name: what services of that name have now, and have done so far.
local function by_name()
	learn_names()
	for _, sums in pairs(names) do
		sums.count, sums.waiting, sums.largest, sums.lua, sums.bytes = 0, 0, 0, 0, 0
	end
	local bytes = memory.total() > 0 and memory.info() or {}
	local present, lua_bytes = {}, 0
	local pattern <const> = "(%S+) (%S+) (%d+) (%d+) (%S+) (%d+)\n"
	for handle, module, waiting, messages, cpu, lua in string.gmatch(core.command "SERVICES", pattern) do
		local sums = entry_of(known[handle] or module)
		local before = seen[handle] or { messages = 0, cpu = 0.0 }
		local now = { messages = math.tointeger(messages), cpu = tonumber(cpu) }
		present[handle] = now
		waiting, lua = math.tointeger(waiting), math.tointeger(lua)
		lua_bytes = lua_bytes + lua
		sums.messages = sums.messages + math.max(now.messages - before.messages, 0)
		sums.cpu = sums.cpu + math.max(now.cpu - before.cpu, 0.0)
		sums.count = (sums.count or 0) + 1
		sums.waiting = (sums.waiting or 0) + waiting
		sums.largest = math.max(sums.largest or 0, waiting)
		sums.lua = (sums.lua or 0) + lua
		sums.bytes = (sums.bytes or 0) + (bytes[tonumber(string.sub(handle, 2), 16)] or 0)
	end
	seen = present
	local list = {}
	for _, sums in pairs(names) do
		list[#list + 1] = sums
	end
	table.sort(list, function(a, b)
		return a.name < b.name
	end)
	return list, lua_bytes
end

---------------------------------------------------------------- the text format

local function escaped(text)
	return (string.gsub(text, '[\\"\n]', { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" }))
end

-- Appends one metric; `samples` is a number, or a list of { label's value, number } with the label's name in `label`.
local function add(out, name, kind, help, samples, label)
	out[#out + 1] = string.format("# HELP skynet_%s %s\n# TYPE skynet_%s %s\n", name, help, name, kind)
	if type(samples) ~= "table" then
		out[#out + 1] = string.format("skynet_%s %s\n", name, samples)
		return
	end
	for _, sample in ipairs(samples) do
		out[#out + 1] = string.format('skynet_%s{%s="%s"} %s\n', name, label, escaped(sample[1]), sample[2])
	end
end

-- Core's figure, metric, kind, help.
local NODE <const> = {
	{ "start_time", "start_time_seconds", "gauge", "When the node started, in seconds since 1970." },
	{ "services", "services", "gauge", "Services that live." },
	{ "services_started", "services_started_total", "counter", "Services that were launched." },
	{ "messages", "messages_total", "counter", "Messages that services have handled." },
	{
		"cpu",
		"callback_cpu_seconds_total",
		"counter",
		"CPU time of services in their messages; 0 with profile = false.",
	},
	{ "messages_waiting", "mailbox_messages", "gauge", "Messages that wait in all mailboxes." },
	{ "mailbox_largest", "mailbox_largest", "gauge", "Messages that wait in the longest mailbox." },
	{
		"messages_undelivered",
		"messages_undelivered_total",
		"counter",
		"Messages sent back because their service had ended.",
	},
	{ "messages_rejected", "messages_rejected_total", "counter", "Messages that full mailboxes have rejected." },
	{ "messages_dropped", "messages_dropped_total", "counter", "Messages that full mailboxes have dropped." },
	{ "timers", "timers", "gauge", "Timers that are pending." },
	{ "sockets", "sockets", "gauge", "Sockets, listening ones included." },
	{ "socket_read_bytes", "socket_received_bytes_total", "counter", "Bytes received." },
	{ "socket_written_bytes", "socket_sent_bytes_total", "counter", "Bytes sent." },
	{ "socket_accepted", "socket_accepted_total", "counter", "Connections accepted." },
	{ "socket_queued_bytes", "socket_queued_bytes", "gauge", "Bytes that wait to be sent." },
	{
		"socket_write_limit_closed",
		"socket_write_limit_closed_total",
		"counter",
		"Sockets closed because too much output waited.",
	},
	{
		"socket_datagrams_dropped",
		"socket_datagrams_dropped_total",
		"counter",
		"Datagrams dropped because too much output waited.",
	},
	{ "log_lines", "log_lines_total", "counter", "Lines written to the log." },
	{
		"log_lines_lost",
		"log_lines_lost_total",
		"counter",
		"Lines that were lost because nobody reads the log fast enough, or because they could not be written.",
	},
	{ "errors", "errors_total", "counter", "Lines of the log that tell of an error of the core or of a Lua service." },
}

-- Field, metric, kind, help.
local BY_NAME <const> = {
	{ "count", "service_instances", "gauge", "Services of a name." },
	{ "waiting", "service_mailbox_messages", "gauge", "Messages that wait for services of a name." },
	{ "largest", "service_mailbox_largest", "gauge", "Messages that wait for one service of a name, at most." },
	{ "messages", "service_messages_total", "counter", "Messages that services of a name have handled." },
	{ "cpu", "service_cpu_seconds_total", "counter", "CPU time of services of a name." },
	{ "lua", "service_lua_bytes", "gauge", "Memory of the Lua VMs of services of a name." },
	{ "bytes", "service_memory_bytes", "gauge", "Memory of services of a name, Lua included; 0 without jemalloc." },
}

-- Figure of the connection to a node of the cluster, metric, kind, help.
local CLUSTER <const> = {
	{ "up", "cluster_up", "gauge", "1 while there is a connection to a node of the cluster." },
	{ "waiting", "cluster_waiting", "gauge", "Requests that wait for a connection to a node." },
	{
		"waiting_bytes",
		"cluster_waiting_bytes",
		"gauge",
		"Bytes of the requests that wait for a connection to a node.",
	},
	{ "failed", "cluster_calls_failed_total", "counter", "Calls to a node that have failed." },
	{
		"dropped",
		"cluster_sends_lost_total",
		"counter",
		"Sends to a node that were lost because there was no connection.",
	},
	{ "reconnects", "cluster_reconnects_total", "counter", "Connections to a node that were made again." },
	{
		"latency",
		"cluster_latency_seconds",
		"gauge",
		"Time of the last heartbeat to a node; 0 before the first one.",
	},
}

-- The same of discovery.
local DISCOVERY <const> = {
	{ "fresh", "cluster_discovery_fresh", "gauge", "1 while the engine of discovery answers." },
	{
		"stale_seconds",
		"cluster_discovery_stale_seconds",
		"gauge",
		"Seconds since the engine of discovery was lost; 0 while it answers.",
	},
	{ "losses", "cluster_discovery_losses_total", "counter", "Times that the engine of discovery was lost." },
	{ "nodes", "cluster_nodes", "gauge", "Nodes that discovery knows." },
	{ "names", "cluster_names", "gauge", "Names of services that discovery knows." },
	{ "locks", "cluster_locks", "gauge", "Locks that services of this node have." },
}

local STATES <const> = { "allocated", "active", "resident", "retained", "mapped" }

local function add_cluster(out)
	if not clusterd then
		return
	end
	local ok, nodes, discovery, drains = pcall(skynet.call_timeout, NAMES_PATIENCE, clusterd, "lua", "figures")
	add(out, "cluster_draining", "gauge", "1 since the drain of this node has begun.", ok and drains and 1 or 0)
	for _, row in ipairs(ok and type(discovery) == "table" and DISCOVERY or {}) do
		add(out, row[2], row[3], row[4], discovery[row[1]])
	end
	if not ok or type(nodes) ~= "table" or next(nodes) == nil then
		return
	end
	for _, row in ipairs(CLUSTER) do
		local samples = {}
		for node, figures in pairs(nodes) do
			local value = figures[row[1]]
			samples[#samples + 1] = { node, math.type(value) and value or value and 1 or 0 }
		end
		table.sort(samples, function(a, b)
			return a[1] < b[1]
		end)
		add(out, row[2], row[3], row[4], samples, "node")
	end
end

local function collect()
	local list, lua_bytes = by_name()
	local figures, threads = {}, {}
	for name, value in string.gmatch(core.command "METRICS", "(%S+) (%S+)\n") do
		local thread = string.match(name, "^thread_(.*)")
		if thread then
			threads[#threads + 1] = { thread, value }
		else
			figures[name] = value
		end
	end
	local out = {}
	add(out, "uptime_seconds", "gauge", "Time since the node started.", skynet.now() / 100)
	for _, row in ipairs(NODE) do
		add(out, row[2], row[3], row[4], figures[row[1]])
	end
	add(out, "workers", "gauge", "Worker threads.", skynet.getenv "thread" or 0)
	add(out, "thread_cpu_seconds_total", "counter", "CPU time of each thread of the node.", threads, "thread")
	add(out, "lua_memory_bytes", "gauge", "Memory of all Lua VMs.", lua_bytes)
	add_cluster(out)
	if memory.total() > 0 then
		local jemalloc, states = memory.jestat(), {}
		for _, state in ipairs(STATES) do
			states[#states + 1] = { state, jemalloc["stats." .. state] }
		end
		add(out, "memory_bytes", "gauge", "Memory of the process, as the allocator has it.", states, "state")
	end
	for _, row in ipairs(BY_NAME) do
		local samples = {}
		for _, sums in ipairs(list) do
			samples[#samples + 1] = { sums.name, sums[row[1]] or 0 }
		end
		add(out, row[2], row[3], row[4], samples, "name")
	end
	return table.concat(out)
end

---------------------------------------------------------------- the server

local pages = {}

pages["/metrics"] = function()
	return 200, collect(), "text/plain; version=0.0.4; charset=utf-8"
end

-- Asks nobody: who answers lives. A node with one stuck service is not to be started again for it.
pages["/livez"] = function()
	return 200, "ok\n"
end

-- Whether others should turn to this node.
pages["/readyz"] = function()
	if not learn_names() then
		return 503, "the launcher does not answer\n"
	end
	local ok, drains = true, false
	if clusterd then
		ok, drains = pcall(skynet.call_timeout, NAMES_PATIENCE, clusterd, "lua", "drains")
	end
	if not ok then
		return 503, "clusterd does not answer\n"
	elseif drains then
		return 503, "this node drains\n"
	end
	return 200, "ok\n"
end

local limiter

local function answer(fd, from)
	local read, write = sockethelper.readfunc(fd), sockethelper.writefunc(fd)
	local code, target, method, request_header, body = httpd.read_request(read, dashboard and dashboard.BODY_LIMIT or 0)
	if code == nil then
		return -- the client is gone
	elseif code ~= 200 then
		return httpd.write_response(write, code)
	end
	local header = { connection = "close" }
	local path = string.match(target, "^[^?]*")
	if path == "/profile" then
		limiter:heard(fd) -- a profile takes longer than a request
		local request = { method = method, target = target, header = request_header, address = from }
		local status, text, more = require "skynet.internal.profilepage".answer(request)
		more.connection = "close"
		return httpd.write_response(write, status, text, more)
	end
	local page = pages[path]
	if not page and dashboard then
		local request = { method = method, target = target, header = request_header, body = body, address = from }
		limiter:heard(fd) -- what it asks for may take longer than a request
		local status, text, more = dashboard.answer(request)
		if status then
			more.connection = "close"
			return httpd.write_response(write, status, text, more)
		end
	end
	if not page then
		return httpd.write_response(write, 404, "The figures are at /metrics\n", header)
	elseif method ~= "GET" then
		header.allow = "GET"
		return httpd.write_response(write, 405, "Only GET\n", header)
	end
	local status, body, kind = page()
	header["content-type"] = kind or "text/plain; charset=utf-8"
	httpd.write_response(write, status, body, header)
end

limiter = admission.new {
	name = "metrics",
	most = setting("metrics_clients", MOST_CLIENTS),
	most_address = setting "metrics_peraddress",
	handshake = setting("metrics_handshake", PATIENCE), -- for the figures no client counts as heard: an answer is the end
	idle = ANSWER_PATIENCE,
	close = socket.shutdown,
}

local function leave(fd)
	limiter:leave(fd)
	socket.close(fd) -- last: it may yield
end

local function serve(fd, from)
	if not limiter:enter(fd, from) then
		return socket.close_fd(fd)
	end
	local _ <close> = defer(leave, fd)
	if socket.start(fd) then
		local ok, problem = pcall(answer, fd, from)
		if not ok then
			skynet.error("metrics: " .. tostring(problem))
		end
	end
end

skynet.start(function()
	local listener, bound_address, bound_port = socket.listen(address, port)
	skynet.error(string.format("Metrics at http://%s:%s/metrics", bound_address, bound_port))
	if dashboard then
		skynet.error(string.format("Dashboard at http://%s:%s/", bound_address, bound_port))
	end
	socket.start(listener, serve)
	socket.accept_error(listener, function()
		limiter:starved()
	end)
	skynet.dispatch("lua", function(_, _, what)
		-- For those who gave the port 0.
		skynet.retpack(what == "port" and bound_port or nil)
	end)
end)
