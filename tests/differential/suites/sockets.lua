-- Sockets, channels over them, and names: over the loopback, with the other side in this process.
local skynet = require "skynet"
local sweep = require "sweep"
local socket = require "skynet.socket"

local LIMIT <const> = 100 -- 1/100 s

local function case(subject, name, func, ...)
	sweep.limited(subject, name, LIMIT, func, ...)
end

local eventually <const> = sweep.eventually

-- A listening socket that gives every connection to a function.
local function serve(func)
	local id, address, port = socket.listen("127.0.0.1", 0)
	socket.start(id, func)
	return id, address, port
end

-- Two ends of a connection.
local function pair()
	local other
	local listener, address, port = serve(function(id)
		socket.start(id)
		other = id
	end)
	local id = socket.open(address, port)
	eventually(function()
		return other
	end)
	socket.close(listener)
	return id, other
end

local function listening_and_opening()
	case("skynet.socket.listen", "results", function()
		local id, address, port = socket.listen("127.0.0.1", 0)
		socket.close(id)
		return math.type(id), address, math.type(port)
	end)
	case("skynet.socket.listen", "in one text", function()
		local id, address, port = socket.listen "127.0.0.1:0"
		socket.close(id)
		return math.type(id), address, math.type(port)
	end)
	case("skynet.socket.listen", "address in use", function()
		local id, address, port = socket.listen("127.0.0.1", 0)
		local observed = sweep.observe(socket.listen, address, port)
		socket.close(id)
		return observed
	end)
	case("skynet.socket.listen", "no such address", socket.listen, "192.0.2.1", 1)
	case("skynet.socket.listen", "no port", socket.listen, "127.0.0.1")
	case("skynet.socket.listen", "nothing", socket.listen)
	case("skynet.socket.open", "results", function()
		local a, b = pair()
		local observed = table.pack(math.type(a), math.type(b))
		socket.close(a)
		socket.close(b)
		return observed
	end)
	case("skynet.socket.open", "refused", function()
		local id, address, port = socket.listen("127.0.0.1", 0)
		socket.close(id)
		skynet.sleep(1)
		return socket.open(address, port)
	end)
	case("skynet.socket.open", "no port", socket.open, "127.0.0.1")
	case("skynet.socket.open", "nothing", socket.open)
	case("skynet.socket.open", "port that is no number", socket.open, "127.0.0.1", "x")
end

local function reading_and_writing(a, b)
	case("skynet.socket.write", "right", socket.write, a, "hello")
	case("skynet.socket.read", "size", socket.read, b, 3)
	case("skynet.socket.read", "what there is", socket.read, b)
	case("skynet.socket.write", "list", socket.write, a, { "ab", "cd", { "ef" } })
	case("skynet.socket.write", "flat list", socket.write, a, { "ab", "cd" })
	case("skynet.socket.read", "list", socket.read, b, 4)
	case("skynet.socket.lwrite", "right", socket.lwrite, a, "low")
	case("skynet.socket.read", "low", socket.read, b, 3)
	case("skynet.socket.write", "empty", socket.write, a, "")
	case("skynet.socket.write", "number", socket.write, a, 12)
	case("skynet.socket.read", "number", socket.read, b, 2)
	case("skynet.socket.write", "nil", socket.write, a, nil)
	case("skynet.socket.write", "true", socket.write, a, true)
	case("skynet.socket.write", "nothing", socket.write)
	case("skynet.socket.write", "unknown id", socket.write, 0x7ffffff, "x")
	case("skynet.socket.write", "no id", socket.write, "x", "x")
	socket.write(a, "line one\nline two\r\nrest|part;")
	case("skynet.socket.readline", "right", socket.readline, b)
	case("skynet.socket.readline", "own end", socket.readline, b, "\r\n")
	case("skynet.socket.readline", "one character", socket.readline, b, "|")
	case("skynet.socket.readline", "again", socket.readline, b, ";")
	case("skynet.socket.read", "zero", function()
		local c, d = pair()
		skynet.fork(function()
			skynet.sleep(10)
			socket.close(c)
		end)
		return socket.read(d, 0)
	end)
	case("skynet.socket.read", "two at once", function()
		local observed
		skynet.fork(function()
			observed = sweep.observe(socket.read, b, 5)
		end)
		skynet.yield()
		local second = sweep.observe(socket.read, b, 5)
		socket.write(a, "12345")
		skynet.sleep(2)
		return observed, second
	end)
	case("skynet.socket.block", "right", function()
		skynet.fork(function()
			skynet.sleep(1)
			socket.write(a, "x")
		end)
		return socket.block(b), socket.read(b)
	end)
end

local function states_of_streams(a, b)
	case("skynet.socket.header", "right", socket.header, "\1\2\3")
	case("skynet.socket.header", "four", socket.header, "\1\2\3\4")
	case("skynet.socket.header", "empty", socket.header, "")
	case("skynet.socket.header", "five", socket.header, "12345")
	case("skynet.socket.header", "nothing", socket.header)
	case("skynet.socket.invalid", "open", socket.invalid, a)
	case("skynet.socket.invalid", "unknown", socket.invalid, 0x7ffffff)
	case("skynet.socket.invalid", "nothing", socket.invalid)
	case("skynet.socket.disconnected", "open", socket.disconnected, a)
	case("skynet.socket.disconnected", "unknown", socket.disconnected, 0x7ffffff)
	case("skynet.socket.limit", "right", socket.limit, b, 10)
	case("skynet.socket.limit", "unknown", socket.limit, 0x7ffffff, 10)
	case("skynet.socket.pause", "right", socket.pause, b)
	case("skynet.socket.pause", "unknown", socket.pause, 0x7ffffff)
	case("skynet.socket.start", "again", socket.start, b)
	case("skynet.socket.start", "unknown", socket.start, 0x7ffffff)
	case("skynet.socket.start", "nothing", socket.start)
	case("skynet.socket.onclose", "right", socket.onclose, b, function() end)
	case("skynet.socket.onclose", "unknown", socket.onclose, 0x7ffffff, function() end)
	case("skynet.socket.warning", "right", socket.warning, b, function() end)
	case("skynet.socket.warning", "unknown", socket.warning, 0x7ffffff, function() end)
	case("skynet.socket.netstat", "fields", function()
		local names = {}
		for _, entry in ipairs(socket.netstat()) do
			for name, value in pairs(entry) do
				names[name] = type(value)
			end
		end
		return names
	end)
end

local function ends_of_streams(a, b)
	case("skynet.socket.read", "the end while it waits", function()
		skynet.fork(function()
			skynet.sleep(1)
			socket.write(a, "last")
			socket.close(a)
		end)
		return socket.read(b, 10)
	end)
	case("gone", "socket read", socket.read, b, 1)
	case("gone", "socket read anything", socket.read, b)
	case("gone", "socket readline", socket.readline, b)
	case("gone", "socket readall", socket.readall, b)
	case("gone", "socket block", socket.block, b)
	case("gone", "socket disconnected", socket.disconnected, b)
	case("gone", "socket invalid", socket.invalid, b)
	case("gone", "socket close", socket.close, b)
	eventually(function()
		for _, entry in ipairs(socket.netstat()) do
			if entry.id == a or entry.id == b then
				return false
			end
		end
		return true
	end)
	case("closed", "socket close", socket.close, b)
	case("closed", "socket close of the first", socket.close, a)
	case("closed", "socket read", socket.read, b)
	case("closed", "socket readline", socket.readline, b)
	case("closed", "socket readall", socket.readall, b)
	case("closed", "socket block", socket.block, b)
	case("closed", "socket write", socket.write, b, "x")
	case("closed", "socket lwrite", socket.lwrite, b, "x")
	case("closed", "socket invalid", socket.invalid, b)
	case("closed", "socket disconnected", socket.disconnected, b)
	case("closed", "socket start", socket.start, b)
	case("closed", "socket shutdown", socket.shutdown, b)
	case("closed", "socket close_fd", socket.close_fd, b)
	case("closed", "socket abandon", socket.abandon, b)
end

local function closing_streams()
	case("skynet.socket.close", "nothing", socket.close)
	case("skynet.socket.close", "unknown", socket.close, 0x7ffffff)
	case("skynet.socket.readall", "until the end", function()
		local c, d = pair()
		socket.write(c, "all ")
		socket.write(c, "of it")
		socket.close(c)
		return socket.readall(d), socket.close(d)
	end)
	case("skynet.socket.readline", "unfinished line at the end", function()
		local c, d = pair()
		socket.write(c, "no end")
		socket.close(c)
		return socket.readline(d)
	end)
	case("skynet.socket.close", "while another task reads", function()
		local c, d = pair()
		local observed
		skynet.fork(function()
			observed = sweep.observe(socket.read, d, 10)
		end)
		skynet.sleep(1)
		local results = table.pack(socket.close(d))
		socket.close(c)
		skynet.sleep(2)
		return results.n, observed
	end)
	case("skynet.socket.shutdown", "right", function()
		local c, d = pair()
		local results = table.pack(socket.shutdown(c))
		return results.n, sweep.observe(socket.read, d)
	end)
	case("skynet.socket.onclose", "called", function()
		local c, d = pair()
		local got
		socket.onclose(d, function(...)
			got = select("#", ...)
		end)
		socket.close(c)
		skynet.sleep(3)
		socket.close(d)
		return got
	end)
	case("skynet.socket.abandon", "right", function()
		local c, d = pair()
		local results = table.pack(socket.abandon(d))
		local observed = sweep.observe(socket.read, d)
		socket.close_fd(d)
		socket.close(c)
		return results.n, observed
	end)
	case("skynet.socket.limit", "exceeded", function()
		local c, d = pair()
		socket.limit(d, 4)
		skynet.fork(function()
			socket.write(c, "123456789")
		end)
		local observed = sweep.observe(socket.read, d, 100)
		socket.close(c)
		return observed
	end)
end

local function starting_streams()
	case("skynet.socket.start", "a callback's arguments", function()
		local got
		local listener, address, port = serve(function(id, peer)
			got = { math.type(id), peer, socket.invalid(id) }
			socket.close_fd(id)
		end)
		local id = socket.open(address, port)
		eventually(function()
			return got
		end)
		socket.close(listener)
		socket.close(id)
		return got
	end)
	case("skynet.socket.bind", "no descriptor", socket.bind, -1)
	case("skynet.socket.bind", "nothing", socket.bind)
	case("skynet.socket.resolve", "nothing", socket.resolve)
end

local function streams()
	listening_and_opening()
	local a, b = pair()
	reading_and_writing(a, b)
	states_of_streams(a, b)
	ends_of_streams(a, b)
	closing_streams()
	starting_streams()
end

-- Below `skynet.socket`: in a service of their own, whose messages of sockets nobody takes.
local function drivers()
	sweep.apart("skynet.socketdriver.udp", "right", function()
		return math.type(require "skynet.socketdriver".udp("127.0.0.1", 0))
	end)
	sweep.apart("skynet.socketdriver.udp_listen", "right", function()
		return math.type(require "skynet.socketdriver".udp_listen("127.0.0.1:0"))
	end)
	sweep.apart("skynet.socketdriver.udp_dial", "right", function()
		return math.type(require "skynet.socketdriver".udp_dial("127.0.0.1", 9))
	end)
	sweep.apart("skynet.socketdriver.udp_connect", "right", function()
		local driver = require "skynet.socketdriver"
		return select("#", driver.udp_connect(driver.udp(), "127.0.0.1", 9))
	end)
end

local function datagrams()
	local got = {}
	local host
	local port = tonumber(string.match(skynet.getenv "ports", "%d+"))
	host = socket.udp(function(text, from)
		got[#got + 1] = { text, #from }
		socket.sendto(host, from, "answer " .. text)
	end, "127.0.0.1", port)
	case("skynet.socket.udp", "type", function()
		return math.type(host)
	end)
	case("skynet.socket.netstat", "datagrams", function()
		local names = {}
		eventually(function()
			for _, entry in ipairs(socket.netstat()) do
				for name, value in pairs(entry.id == host and entry or {}) do
					names[name] = type(value)
				end
			end
			return next(names)
		end)
		return names
	end)
	do
		local answers = {}
		local client = socket.udp(function(text, from)
			answers[#answers + 1] = { text, #from }
		end)
		case("skynet.socket.udp_connect", "right", socket.udp_connect, client, "127.0.0.1", port)
		case("skynet.socket.write", "datagram", socket.write, client, "hello")
		case("skynet.socket.udp", "answer", function()
			eventually(function()
				return #answers > 0
			end)
			return got, answers
		end)
		case("skynet.socket.udp_dial", "right", function()
			local text
			local id = socket.udp_dial("127.0.0.1", port, function(answer)
				text = answer
			end)
			socket.write(id, "dialled")
			eventually(function()
				return text
			end)
			socket.close(id)
			return text
		end)
		case("skynet.socket.close", "datagram", socket.close, client)
	end
	case("skynet.socket.udp_address", "right", function()
		return socket.udp_address(string.char(0, 0x12, 0x34, 127, 0, 0, 1))
	end)
	case("skynet.socket.udp_address", "short", socket.udp_address, "x")
	case("skynet.socket.udp_address", "nothing", socket.udp_address)
	case("skynet.socket.sendto", "bad address", socket.sendto, host, "x", "text")
	case(
		"skynet.socket.sendto",
		"unknown id",
		socket.sendto,
		0x7ffffff,
		string.char(0, 0x12, 0x34, 127, 0, 0, 1),
		"text"
	)
	case("skynet.socket.sendto", "nothing", socket.sendto)
	case("skynet.socket.udp_connect", "unknown id", socket.udp_connect, 0x7ffffff, "127.0.0.1", 1)
	case("skynet.socket.udp_connect", "nothing", socket.udp_connect)
	case("skynet.socket.udp_listen", "right", function()
		local id = socket.udp_listen("127.0.0.1", 0, function() end)
		local kind = math.type(id)
		socket.close(id)
		return kind
	end)
	case("skynet.socket.udp_listen", "nothing", socket.udp_listen)
	case("skynet.socket.udp_dial", "nothing", socket.udp_dial)
	case("skynet.socket.udp", "no callback", function()
		return math.type(socket.udp())
	end)
	socket.close(host)
end

sweep.run(function()
	streams()
	datagrams()
	drivers()
	require "parts.channels"(serve)
end)
