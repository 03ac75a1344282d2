-- The C service gate.
local skynet = require "skynet"
local check = require "check"
local driver = require "skynet.socketdriver"
require "skynet.manager"

local DATA, CONNECT, CLOSE = 1, 2, 3

-- What has come, by kind: "text" from a gate, "client" (forwarded frames), "socket ID KIND" of our own ends.
local inbox, waiter = {}, nil

local function came(key, value)
	inbox[key] = inbox[key] or {}
	table.insert(inbox[key], value)
	if waiter then
		skynet.wakeup(waiter)
		waiter = nil
	end
end

local function next_of(key)
	while not (inbox[key] and inbox[key][1]) do
		waiter = coroutine.running()
		skynet.wait(waiter)
	end
	return table.remove(inbox[key], 1)
end

skynet.register_protocol {
	name = "text",
	id = skynet.PTYPE_TEXT,
	pack = function(text)
		return text
	end,
	unpack = skynet.tostring,
	dispatch = function(session, source, text)
		skynet.ignoreret()
		came("text", { text = text, session = session, source = source })
	end,
}

skynet.register_protocol {
	name = "client",
	id = skynet.PTYPE_CLIENT,
	pack = function(id, bytes)
		return bytes .. string.pack("<I4", id)
	end,
	unpack = skynet.tostring,
	dispatch = function(session, source, text)
		skynet.ignoreret()
		came("client", { text = text, session = session, source = source })
	end,
}

skynet.register_protocol {
	name = "socket",
	id = skynet.PTYPE_SOCKET,
	unpack = driver.unpack,
	dispatch = function(_, _, kind, id, ud, data)
		if type(data) == "userdata" then
			local text = skynet.tostring(data, ud)
			driver.drop(data, ud)
			data = text
		end
		came("socket " .. id .. " " .. kind, data or "")
	end,
}

local function read(id, size)
	local text = ""
	while #text < size do
		text = text .. next_of("socket " .. id .. " " .. DATA)
	end
	return text
end

local last_port = tonumber(skynet.getenv "gate_port" or 28940)

--- A gate for us as the watchdog, and its port.
local function launch(header, max, tag)
	last_port = last_port + 1
	local gate = skynet.launch("gate", header, skynet.address(skynet.self()), "127.0.0.1:" .. last_port, tag or 0, max)
	return assert(gate, "no gate"), last_port
end

--- A new connection: our end, and what the gate calls its end.
local function connect(port)
	local id = driver.connect("127.0.0.1", port)
	check.equal(next_of("socket " .. id .. " " .. CONNECT), "127.0.0.1")
	local opened = next_of "text"
	check.equal(opened.session, 0)
	local client, same, address = opened.text:match "^(%d+) open (%d+) (.*)$"
	check.equal(client, same)
	assert(address:find "^127%.0%.0%.1:%d+:0$", address)
	return id, math.tointeger(client)
end

local function started(gate, port)
	local id, client = connect(port)
	skynet.send(gate, "text", "start " .. client)
	return id, client
end

local function closed(id)
	next_of("socket " .. id .. " " .. CLOSE)
end

local cases = {}

function cases.frames_go_to_the_watchdog_as_texts()
	for header, format in pairs { S = ">s2", L = ">s4" } do
		local gate, port = launch(header, 4)
		local id, client = started(gate, port)
		driver.send(id, string.pack(format, "hello") .. string.pack(format, "") .. string.pack(format, "a b\0c"))
		for _, frame in ipairs { "hello", "a b\0c" } do
			check.equal(next_of "text", { text = client .. " data " .. frame, session = client, source = gate })
		end
		driver.close(id)
		check.equal(next_of("text").text, client .. " close")
		skynet.kill(gate)
	end
end

function cases.frames_may_come_in_pieces()
	local gate, port = launch("S", 4)
	local id, client = started(gate, port)
	local large = ("x"):rep(60000)
	local stream = string.pack(">s2s2", "ab", large)
	for from = 1, 6 do
		driver.send(id, stream:sub(from, from))
		skynet.yield()
	end
	driver.send(id, stream:sub(7))
	check.equal(next_of("text").text, client .. " data ab")
	check.equal(next_of("text").text, client .. " data " .. large)
	driver.close(id)
	next_of "text"
	skynet.kill(gate)
end

function cases.nothing_comes_before_the_start()
	local gate, port = launch("S", 4)
	local id, client = connect(port)
	driver.send(id, string.pack(">s2", "early"))
	check.equal(inbox.text, {})
	skynet.send(gate, "text", "start " .. client)
	check.equal(next_of("text").text, client .. " data early")
	skynet.kill(gate)
	closed(id)
	driver.close(id)
end

function cases.frames_go_to_the_agent_in_the_name_of_the_client()
	local gate, port = launch("S", 4)
	local id, client = started(gate, port)
	skynet.send(gate, "text", string.format("forward %d %s :0000abcd", client, skynet.address(skynet.self())))
	driver.send(id, string.pack(">s2", "for the agent"))
	check.equal(next_of "client", { text = "for the agent", session = client, source = 0xabcd })
	skynet.send(gate, "text", "broker " .. skynet.address(skynet.self()))
	driver.send(id, string.pack(">s2", "for the broker"))
	check.equal(next_of "client", { text = "for the broker", session = client, source = gate })
	driver.close(id)
	next_of "text"
	skynet.kill(gate)
end

function cases.the_tag_is_the_type_of_what_is_forwarded()
	local gate, port = launch("S", 4, skynet.PTYPE_TEXT + 3)
	local id, client = started(gate, port)
	skynet.send(gate, "text", string.format("forward %d %s :1", client, skynet.address(skynet.self())))
	driver.send(id, string.pack(">s2", "frame"))
	check.equal(next_of("client").text, "frame")
	skynet.kill(gate)
	closed(id)
	driver.close(id)
end

function cases.messages_for_a_client_are_written_as_they_are()
	local gate, port = launch("S", 4)
	local id, client = started(gate, port)
	skynet.send(gate, "client", client, "\0\5reply")
	check.equal(read(id, 7), "\0\5reply")
	skynet.send(gate, "client", client + 1000, "lost")
	skynet.send(gate, "text", "")
	skynet.send(gate, "text", "nonsense")
	skynet.send(gate, "text", "forward 1")
	skynet.send(gate, "client", client, "again")
	check.equal(read(id, 5), "again")
	skynet.kill(gate)
	closed(id)
	driver.close(id)
end

function cases.a_kicked_client_is_closed()
	local gate, port = launch("S", 4)
	local id, client = started(gate, port)
	skynet.send(gate, "text", "kick " .. client)
	check.equal(next_of("text").text, client .. " close")
	closed(id)
	driver.close(id)
	skynet.kill(gate)
end

function cases.clients_beyond_the_limit_are_closed()
	local gate, port = launch("S", 1)
	local first, client = connect(port)
	local second = driver.connect("127.0.0.1", port)
	closed(second)
	driver.close(second)
	skynet.send(gate, "text", "start " .. client)
	driver.close(first)
	check.equal(next_of("text").text, client .. " close")
	local third = connect(port)
	skynet.kill(gate)
	closed(third)
	driver.close(third)
end

function cases.a_gate_that_does_not_listen_keeps_its_clients()
	local gate, port = launch("S", 4)
	local id, client = started(gate, port)
	skynet.send(gate, "text", "close")
	driver.send(id, string.pack(">s2", "still here"))
	check.equal(next_of("text").text, client .. " data still here")
	local refused = driver.connect("127.0.0.1", port)
	next_of("socket " .. refused .. " 5")
	skynet.kill(gate)
	closed(id)
	driver.close(id)
end

function cases.a_frame_of_16_MiB_closes_the_connection()
	if os.getenv "SKYNET_TREE" then
		return -- there all of it has to come first
	end
	local gate, port = launch("L", 4)
	local id, client = started(gate, port)
	driver.send(id, "\1\0\0\0")
	check.equal(next_of("text").text, client .. " close")
	closed(id)
	driver.close(id)
	skynet.kill(gate)
end

function cases.a_wrong_parameter_is_no_gate()
	local free = last_port + 500
	for _, parameter in ipairs {
		"",
		"S",
		"S !",
		"S ! 127.0.0.1:" .. free,
		"S ! 127.0.0.1:" .. free .. " 0",
		"S ! 127.0.0.1:" .. free .. " 0 0",
		"X ! 127.0.0.1:" .. free .. " 0 1",
		"S ! localhost 0 1",
		"S ! 127.0.0.1: 0 1",
		"S .nobody 127.0.0.1:" .. free .. " 0 1",
		"S ! 1.2.3.4:" .. free .. " 0 1",
	} do
		check.equal(skynet.launch("gate", parameter), nil, parameter)
	end
end

check.run(cases)
