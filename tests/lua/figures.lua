-- The service "metrics": asked by hand, and read by the parser of prometheus_client.
local skynet = require "skynet"
local core = require "skynet.core"
local httpc = require "http.httpc"
local socket = require "skynet.socket"
local check = require "check"

local cases = {}
local host

local function metrics()
	local code, body = httpc.request("GET", host, "/metrics")
	check.equal(code, 200)
	return body
end

local function value(text, sample)
	local start = string.find("\n" .. text, "\n" .. sample .. " ", 1, true)
	assert(start, sample .. " is missing in\n" .. text)
	return tonumber(string.match(text, "^(%S+)", start + #sample + 1))
end

local function ready()
	if not host then
		local s = skynet.newservice("metrics", 0)
		host = "127.0.0.1:" .. skynet.call(s, "lua", "port")
	end
end

function cases.figures_follow_what_happens()
	ready()
	local before = metrics()
	local peer = skynet.newservice "peer"
	for i = 1, 100 do
		check.equal(skynet.call(peer, "lua", "echo", i), i)
	end
	check.raises("call failed", skynet.call, peer, "lua", "fail")
	local after = metrics()
	check.equal(value(after, "skynet_services") - value(before, "skynet_services"), 1)
	check.equal(value(after, 'skynet_service_instances{name="peer"}'), 1)
	assert(value(after, 'skynet_service_messages_total{name="peer"}') >= 101)
	assert(value(after, "skynet_messages_total") >= value(before, "skynet_messages_total") + 200)
	-- The caller is told before the error is counted.
	check.await(function()
		return value(metrics(), "skynet_errors_total") > value(before, "skynet_errors_total")
	end)
	assert(value(after, "skynet_socket_accepted_total") >= 2)
	assert(value(after, "skynet_socket_sent_bytes_total") >= #before)
	assert(value(after, "skynet_lua_memory_bytes") > 10000)
	assert(value(after, 'skynet_service_lua_bytes{name="peer"}') > 1000)
	assert(value(after, 'skynet_thread_cpu_seconds_total{thread="worker_0"}') > 0)
	-- What a service has done counts on when it is gone.
	core.command("KILL", skynet.address(peer))
	local last = metrics()
	check.equal(value(last, 'skynet_service_instances{name="peer"}'), 0)
	assert(value(last, 'skynet_service_messages_total{name="peer"}') >= 101)
	assert(value(last, "skynet_messages_total") >= value(after, "skynet_messages_total"))
end

function cases.other_requests_are_refused()
	ready()
	check.equal((httpc.request("GET", host, "/")), 404)
	check.equal((httpc.request("GET", host, "/metrics?x=1")), 200)
	check.equal((httpc.request("DELETE", host, "/metrics")), 405)
	local fd = socket.open(host)
	socket.write(fd, "nonsense\r\n\r\n")
	assert(string.find(socket.readall(fd), "^HTTP/1.1 400 "))
	socket.close(fd)
end

function cases.livez_and_readyz_answer_probes()
	ready()
	check.equal((httpc.request("GET", host, "/livez")), 200)
	check.equal((httpc.request("GET", host, "/readyz")), 200)
	check.equal((httpc.request("POST", host, "/readyz")), 405)
end

function cases.a_node_that_drains_is_not_ready_until_it_listens_again()
	local cluster = require "skynet.cluster"
	ready()
	cluster.open(0)
	check.equal(value(metrics(), "skynet_cluster_draining"), 0)
	cluster.drain { limit = 100 }
	local code, body = httpc.request("GET", host, "/readyz")
	check.equal(code, 503)
	check.equal(body, "this node drains\n")
	check.equal(value(metrics(), "skynet_cluster_draining"), 1)
	check.equal((httpc.request("GET", host, "/livez")), 200)
	cluster.open(0)
	check.equal((httpc.request("GET", host, "/readyz")), 200)
	check.equal(value(metrics(), "skynet_cluster_draining"), 0)
end

function cases.prometheus_reads_them_and_they_are_documented()
	-- Some are of nodes of a cluster.
	local cluster = require "skynet.cluster"
	local _, port = cluster.open(0)
	cluster.reload { me = "127.0.0.1:" .. port }
	cluster.get_sender "me"
	ready()
	local command = string.format(
		"%s %s/metrics_reader.py http://%s/metrics %s",
		skynet.getenv "python",
		skynet.getenv "scripts",
		host,
		skynet.getenv "manual"
	)
	local pipe = io.popen(command .. " 2>&1; echo status $?") -- on this worker; the others answer
	local output = pipe:read "a"
	pipe:close()
	assert(string.find(output, "status 0%s*$"), output)
end

check.run(cases)
