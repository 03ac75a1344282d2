-- skynet.dns against a small name server over UDP in the same service. What the C project's module does
-- otherwise: it may forget answers at any time, it takes "::1" for an IPv4 name, and of resolv.conf it knows the first
-- server only, which it asks once, by UDP.
local skynet = require "skynet"
local socket = require "skynet.socket"
local dns = require "skynet.dns"
local check = require "check"

local cases = {}

local asked = {} -- name -> how often

-- Answers of the test's server: type, data, seconds.
local zone = {
	["two.test"] = { { 1, "\x7f\0\0\11", 300 }, { 1, "\x7f\0\0\12", 300 } },
	["six.test"] = { { 28, "\x20\1\x0d\xb8" .. string.rep("\0", 11) .. "\1", 300 } },
	["alias.test"] = { { 5, "\3two\4test\0", 300 }, { 1, "\x7f\0\0\13", 300 } },
	["short.test"] = { { 1, "\x7f\0\0\14", 0 } },
}

-- The answer, and the name that was asked for.
local function serve(question, names)
	names = names or zone
	local id = string.unpack(">H", question)
	local labels, position = {}, 13
	while true do
		local label
		label, position = string.unpack("s1", question, position)
		if label == "" then
			break
		end
		labels[#labels + 1] = label
	end
	local name = table.concat(labels, ".")
	asked[name] = (asked[name] or 0) + 1
	local kind = string.unpack(">H", question, position)
	local records = {}
	for _, record in ipairs(names[name] or {}) do
		if record[1] == kind or record[1] == 5 then
			-- The name is a pointer to the question.
			records[#records + 1] = string.pack(">HHHI4s2", 0xc00c, record[1], 1, record[3], record[2])
		end
	end
	local code = names[name] and 0 or 3
	return string.pack(">HHHHHH", id, 0x8180 | code, 1, #records, 0, 0) .. string.sub(question, 13) .. table.concat(
		records
	),
		name
end

local port

local function start_server()
	if port then
		return dns.server("127.0.0.1", port)
	end
	local probe, _
	probe, _, port = socket.listen("127.0.0.1", 0)
	socket.close(probe)
	local server
	server = socket.udp_listen("127.0.0.1", port, function(question, from)
		socket.sendto(server, from, "not an answer")
		if string.find(question, "noisy", 1, true) then
			for _ = 1, 200 do
				socket.sendto(server, from, "x")
			end
		end
		socket.sendto(server, from, (serve(question)))
	end)
	dns.DEFAULT_HOSTS = "hosts"
	local file <close> = assert(io.open("hosts", "w"))
	file:write("# names of the test\n127.0.0.9 static.test Other.Test # comment\n::1 static.test\n")
	dns.server("127.0.0.1", port)
end

function cases.addresses_are_answered_and_remembered()
	start_server()
	check.equal({ dns.resolve "Two.Test" }, { "127.0.0.11", { "127.0.0.11", "127.0.0.12" } })
	check.equal(dns.resolve "two.test", "127.0.0.11")
	check.equal(asked["two.test"], 1)
	dns.flush()
	check.equal(dns.resolve "two.test", "127.0.0.11")
	check.equal(asked["two.test"], 2)
	check.equal(dns.resolve("six.test", true), "2001:db8:0:0:0:0:0:1")
	check.equal(dns.resolve "alias.test", "127.0.0.13")
end

function cases.answers_expire()
	start_server()
	dns.resolve "short.test"
	skynet.sleep(1)
	check.equal(dns.resolve "short.test", "127.0.0.14")
	check.equal(asked["short.test"], 2)
end

function cases.names_of_the_hosts_file_are_not_asked_for()
	start_server()
	check.equal(dns.resolve "static.test", "127.0.0.9")
	check.equal(dns.resolve("static.test", true), "::1")
	check.equal(dns.resolve "other.test", "127.0.0.9")
	check.equal(asked["static.test"], nil)
end

function cases.addresses_and_bad_names_are_not_asked_for()
	start_server()
	check.equal(dns.resolve "1.2.3.4", "1.2.3.4")
	check.equal({ dns.resolve("::1", false) }, { nil, "illegal ip address" })
	check.equal({ dns.resolve "bad name" }, { nil, "illegal name" })
	check.equal({ dns.resolve(string.rep("x", 64) .. ".test") }, { nil, "illegal name" })
end

-- How often the log tells of them is looked at by who runs this.
function cases.what_is_no_answer_is_no_flood_of_lines()
	start_server()
	zone["noisy.test"] = { { 1, "\x7f\0\0\15", 300 } }
	check.equal(dns.resolve "noisy.test", "127.0.0.15")
end

function cases.unknown_names_raise()
	start_server()
	check.raises("timeout or no answer", dns.resolve, "unknown.test")
end

function cases.many_at_once()
	start_server()
	dns.flush()
	check.together(40, function(i)
		assert(dns.resolve(i % 2 == 0 and "two.test" or "short.test"))
	end)
end

---------------------------------------------------------------- resolv.conf

-- A name server of its own on a free port, by UDP and TCP. `how`: zone = name -> records as above; silent; code = what it
-- answers to all; cut = names that take TCP. It lists what it was asked in `questions`, "tcp name" for TCP.
local function name_server(how)
	local self = { questions = {}, address = how.address or "127.0.0.1" }
	local function answer(question, by_tcp)
		local bytes, name = serve(question, how.zone or {})
		table.insert(self.questions, by_tcp and "tcp " .. name or name)
		if how.silent then
			return
		elseif how.code then
			return string.pack(">HHHHHH", string.unpack(">H", question), 0x8180 | how.code, 1, 0, 0, 0)
				.. question:sub(13)
		elseif how.cut and not by_tcp then
			return string.pack(">HHHHHH", string.unpack(">H", question), 0x8380, 1, 3, 0, 0)
				.. question:sub(13)
				.. "\xc0"
		end
		return bytes
	end
	local listener
	listener, self.address, self.port = socket.listen(self.address, 0)
	socket.start(listener, function(id)
		socket.start(id)
		local size = socket.read(id, 2)
		local bytes = size and answer(socket.read(id, (string.unpack(">H", size))), true)
		if bytes then
			socket.write(id, string.pack(">s2", bytes))
		end
		socket.close(id)
	end)
	local datagrams
	datagrams = socket.udp_listen(self.address, self.port, function(question, from)
		local bytes = answer(question)
		if bytes then
			socket.sendto(datagrams, from, bytes)
		end
	end)
	return self
end

local configurations = 0

-- Makes the module read a resolv.conf with these servers.
local function configure(servers, more)
	start_server() -- its hosts file is read once
	local lines = {}
	for _, server in ipairs(servers) do
		lines[#lines + 1] = string.format("nameserver [%s]:%d", server.address, server.port)
	end
	lines[#lines + 1] = more
	-- A name of its own, as a file that was read is not read again for some time. It stays: after that time it is.
	configurations = configurations + 1
	local name = "resolv.conf." .. configurations
	local file <close> = assert(io.open(name, "w"))
	file:write("# of the test\n", table.concat(lines, "\n"), "\n")
	dns.flush()
	dns.server()
	dns.DEFAULT_RESOLV_CONF = name
end

local function ipv4(last)
	return { { 1, "\x7f\0\0" .. string.char(last), 300 } }
end

function cases.records_without_the_bytes_of_an_address_are_passed_over()
	local good = "\x20\x01" .. string.rep("\0", 13) .. "\1"
	local server = name_server {
		zone = {
			["a.test"] = { { 1, "\127\0\0\1\1", 300 }, { 1, "\127\0\0", 300 }, { 1, "", 300 }, ipv4(21)[1] },
			["b.test"] = { { 28, good .. "\1", 300 }, { 28, string.sub(good, 2), 300 }, { 28, good, 300 } },
			["c.test"] = { { 1, "\127\0\0\1\1", 300 } },
		},
	}
	configure { server }
	check.equal({ dns.resolve "a.test" }, { "127.0.0.21", { "127.0.0.21" } })
	check.equal(select(2, dns.resolve("b.test", true)), { "2001:0:0:0:0:0:0:1" })
	check.raises("timeout or no answer", dns.resolve, "c.test")
end

function cases.a_dead_server_is_passed_over_within_the_timeout()
	local dead, live = name_server { silent = true }, name_server { zone = { ["a.test"] = ipv4(21) } }
	configure({ dead, live }, "options timeout:1 attempts:1")
	check.equal(dns.resolve "a.test", "127.0.0.21")
	check.equal({ dead.questions, live.questions }, { { "a.test" }, { "a.test" } })
end

function cases.all_servers_are_asked_as_often_as_attempts_says()
	local dead, other = name_server { silent = true }, name_server { silent = true }
	configure({ dead, other }, "options timeout:1 attempts:2")
	check.raises("timeout or no answer", dns.resolve, "a.test")
	check.equal({ dead.questions, other.questions }, { { "a.test", "a.test" }, { "a.test", "a.test" } })
end

function cases.a_server_that_cannot_tell_is_passed_over()
	local live = name_server { zone = { ["a.test"] = ipv4(22) } }
	for _, code in ipairs { 2, 4, 5 } do
		configure { name_server { code = code }, live }
		check.equal(dns.resolve "a.test", "127.0.0.22")
	end
	-- One that says that there is no such name is believed.
	local unused = name_server { zone = { ["a.test"] = ipv4(22) } }
	configure { name_server {}, unused }
	check.raises("timeout or no answer", dns.resolve, "a.test")
	check.equal(unused.questions, {})
	-- Nobody can tell: that takes no time-out.
	local failing = name_server { code = 2 }
	configure { failing }
	check.raises("timeout or no answer", dns.resolve, "a.test")
	check.equal(failing.questions, { "a.test" })
end

function cases.servers_take_turns_on_request()
	local zone = { ["a.test"] = ipv4(23), ["b.test"] = ipv4(23), ["c.test"] = ipv4(23), ["d.test"] = ipv4(23) }
	local one, two = name_server { zone = zone }, name_server { zone = zone }
	configure({ one, two }, "options rotate")
	for name in pairs(zone) do
		check.equal(dns.resolve(name), "127.0.0.23")
	end
	check.equal({ #one.questions, #two.questions }, { 2, 2 })
end

function cases.what_does_not_fit_a_datagram_is_asked_for_by_tcp()
	local list = {}
	for i = 1, 100 do
		list[i] = ipv4(i)[1]
	end
	local large = name_server { zone = { ["a.test"] = list }, cut = true }
	configure { large }
	local first, all = dns.resolve "a.test"
	check.equal({ first, #all, all[100] }, { "127.0.0.1", 100, "127.0.0.100" })
	check.equal(large.questions, { "a.test", "tcp a.test" })
	-- Without UDP at all.
	configure({ large }, "options use-vc")
	dns.resolve "a.test"
	check.equal(large.questions, { "a.test", "tcp a.test", "tcp a.test" })
end

function cases.short_names_are_those_of_a_search_domain_first()
	local server = name_server {
		zone = { ["db.two.test"] = ipv4(31), ["db"] = ipv4(32), ["x.y"] = ipv4(33), ["x.z.two.test"] = ipv4(34) },
	}
	configure({ server }, "search one.test two.test.")
	check.equal(dns.resolve "db", "127.0.0.31")
	check.equal(server.questions, { "db.one.test", "db.two.test" })
	check.equal(dns.resolve "db", "127.0.0.31")
	check.equal(#server.questions, 2)
	check.equal(dns.resolve "db.", "127.0.0.32") -- a full name
	check.equal(dns.resolve "x.y", "127.0.0.33")
	check.equal(server.questions, { "db.one.test", "db.two.test", "db", "x.y" })
	check.equal(dns.resolve "x.z", "127.0.0.34")
	configure({ server }, "domain two.test\noptions ndots:2")
	server.questions = {}
	check.equal({ (dns.resolve "x.y"), (dns.resolve "x.z") }, { "127.0.0.33", "127.0.0.34" })
	check.equal(server.questions, { "x.y.two.test", "x.y", "x.z.two.test" })
end

function cases.aliases_are_followed()
	local alias = function(name)
		return { { 5, name:gsub("([^.]+)%.?", function(label)
			return string.pack("s1", label)
		end) .. "\0", 300 } }
	end
	local server = name_server {
		zone = {
			["a.test"] = alias "b.test",
			["b.test"] = alias "c.test",
			["c.test"] = ipv4(41),
			["loop.test"] = alias "loop.test",
			["one.test"] = alias "two.test",
			["two.test"] = alias "one.test",
		},
	}
	configure { server }
	check.equal(dns.resolve "a.test", "127.0.0.41")
	check.equal(server.questions, { "a.test", "b.test", "c.test" })
	check.raises("timeout or no answer", dns.resolve, "loop.test")
	check.raises("timeout or no answer", dns.resolve, "one.test")
end

function cases.servers_may_have_ipv6_addresses()
	local listening, server = pcall(name_server, { address = "::1", zone = { ["a.test"] = ipv4(51) }, cut = true })
	if not listening then
		return print("no IPv6 on this machine", server)
	end
	configure { server }
	check.equal(dns.resolve "a.test", "127.0.0.51")
	check.equal(server.questions, { "a.test", "tcp a.test" })
end

check.run(cases)
