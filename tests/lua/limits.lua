-- Limits for output and mail.
local skynet = require "skynet"
local core = require "skynet.core"
local socket = require "skynet.socket"
local check = require "check"

local cases = {}

local function figure(name)
	return math.tointeger(tonumber(string.match(core.command "METRICS", "\n" .. name .. " (%d+)\n")))
end

-- The same script serves as the services with limits. "full" fills its mailbox while it handles one request, so nothing is
-- taken out meanwhile.
local role, policy, limit = ...
if role == "limited" then
	limit = math.tointeger(tonumber(limit))
	local request = {}
	local got = 0
	function request.count()
		got = got + 1
	end
	function request.full(peer)
		local sent = 0
		for _ = 1, limit + 5 do
			if skynet.send(skynet.self(), "lua", "count") then
				sent = sent + 1
			end
		end
		local waits = skynet.mqlen()
		-- These are not mail of a service: they pass.
		local fired = false
		skynet.timeout(0, function()
			fired = true
		end)
		local echo = skynet.call(peer, "lua", "echo", "answer")
		skynet.retpack(sent, waits, got, fired, echo)
	end
	function request.echo(...)
		skynet.retpack(...)
	end
	function request.calls()
		for _ = 1, limit do
			skynet.send(skynet.self(), "lua", "count")
		end
		local ok, problem = pcall(skynet.call, skynet.self(), "lua", "echo", "too much")
		-- There is room again: the error came behind the mail.
		skynet.yield()
		skynet.retpack(ok, problem, skynet.call(skynet.self(), "lua", "echo", "fine"))
	end
	function request.free()
		skynet.mailbox_limit(0)
		for _ = 1, limit * 3 do
			assert(skynet.send(skynet.self(), "lua", "count"))
		end
		skynet.retpack(skynet.mqlen())
	end
	skynet.start(function()
		skynet.mailbox_limit(limit, policy)
		skynet.dispatch("lua", function(_, _, name, ...)
			request[name](...)
		end)
	end)
	return
elseif role == "config" then
	-- With what the config says.
	skynet.start(function()
		skynet.dispatch("lua", function()
			local sent = 0
			while sent < 10000 and skynet.send(skynet.self(), "text", "x") do
				sent = sent + 1
			end
			skynet.dispatch("text", function() end)
			skynet.retpack(sent)
		end)
		skynet.register_protocol { name = "text", id = skynet.PTYPE_TEXT, pack = tostring, unpack = skynet.tostring }
	end)
	return
end

function cases.mail_over_the_limit_is_rejected_as_by_a_dead_service()
	local before = figure "messages_rejected"
	local s = skynet.newservice("limits", "limited", "reject", 10)
	local peer = skynet.newservice "peer"
	check.equal({ skynet.call(s, "lua", "full", peer) }, { 10, 10, 10, true, "answer" })
	check.equal(figure "messages_rejected" - before, 5)
	check.equal(skynet.call(s, "lua", "echo", "room again"), "room again")
	local ok, problem, fine = skynet.call(s, "lua", "calls")
	check.equal({ ok, fine }, { false, "fine" })
	assert(string.find(problem, "call to invalid address :", 1, true), problem)
end

function cases.mail_over_the_limit_is_dropped_and_calls_fail()
	local before = figure "messages_dropped"
	local s = skynet.newservice("limits", "limited", "drop", 10)
	local peer = skynet.newservice "peer"
	check.equal({ skynet.call(s, "lua", "full", peer) }, { 15, 10, 10, true, "answer" })
	check.equal(figure "messages_dropped" - before, 5)
	local ok, problem, fine = skynet.call(s, "lua", "calls")
	check.equal({ ok, fine }, { false, "fine" })
	assert(string.find(problem, "call failed", 1, true), problem)
end

function cases.a_limit_can_be_taken_away()
	local s = skynet.newservice("limits", "limited", "reject", 10)
	check.equal(skynet.call(s, "lua", "free"), 30)
end

function cases.the_config_gives_every_service_a_limit()
	local s = skynet.newservice("limits", "config")
	check.equal(skynet.call(s, "lua"), 1024)
end

function cases.bad_limits_are_refused()
	check.raises("mailbox_limit", skynet.mailbox_limit, -1)
	check.raises("reject or drop", skynet.mailbox_limit, 1, "forget")
	check.equal(core.command("MAILBOXLIMIT", "1 2 3"), nil)
	check.equal(core.command("WRITELIMIT", "x"), nil)
	check.equal(socket.write_limit(123456, 1), false)
	check.raises("write_limit", socket.write_limit, 1, "2")
end

-- A connection whose other side does not read: the id that connected.
local function unread(limit_of_listener)
	local listener, host, port = socket.listen("127.0.0.1", 0)
	if limit_of_listener then
		socket.write_limit(listener, limit_of_listener)
	end
	local accepted, waiter = nil, {}
	socket.start(listener, function(id)
		accepted = id
		skynet.wakeup(waiter)
	end)
	local id = assert(socket.open(host, port))
	while not accepted do
		skynet.wait(waiter)
	end
	socket.close(listener)
	return id, accepted
end

local function overfill(id)
	local block = string.rep("x", 256 * 1024)
	while socket.write(id, block) do
		skynet.yield()
	end
end

function cases.output_over_the_limit_closes_the_socket()
	local before = figure "socket_write_limit_closed"
	local id, other = unread()
	check.equal(socket.write_limit(id, 1024 * 1024), true)
	overfill(id)
	check.equal(socket.block(id), false)
	check.equal(socket.disconnected(id), true)
	socket.close(id)
	check.equal(figure "socket_write_limit_closed" - before, 1)
	check.equal(figure "socket_queued_bytes", 0)
	socket.close_fd(other)
end

function cases.the_config_limits_the_output_of_all_sockets()
	local before = figure "socket_write_limit_closed"
	local id, other = unread()
	overfill(id)
	socket.close(id)
	check.equal(figure "socket_write_limit_closed" - before, 1)
	-- One with a limit of its own: none.
	local free, its_other = unread()
	check.equal(socket.write_limit(free, 0), true)
	for _ = 1, 64 do
		assert(socket.write(free, string.rep("x", 256 * 1024)))
	end
	assert(figure "socket_queued_bytes" > 4 * 1024 * 1024)
	socket.shutdown(free)
	socket.close(free)
	socket.close_fd(other)
	socket.close_fd(its_other)
end

check.run(cases)
