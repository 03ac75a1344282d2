-- skynet.dns against a small name server over UDP in the same service. What the C project's module does
-- otherwise: it may forget answers at any time, and it takes "::1" for an IPv4 name.
local skynet = require "skynet"
local socket = require "skynet.socket"
local dns = require "skynet.dns"
local check = require "check"

local cases = {}

local asked = {}          -- name -> how often

-- Answers of the test's server: type, data, seconds.
local zone = {
	["two.test"] = { { 1, "\x7f\0\0\11", 300 }, { 1, "\x7f\0\0\12", 300 } },
	["six.test"] = { { 28, "\x20\1\x0d\xb8" .. string.rep("\0", 11) .. "\1", 300 } },
	["alias.test"] = { { 5, "\3two\4test\0", 300 }, { 1, "\x7f\0\0\13", 300 } },
	["short.test"] = { { 1, "\x7f\0\0\14", 0 } },
}

local function serve(question)
	local id = string.unpack(">H", question)
	local labels, position = {}, 13
	while true do
		local label
		label, position = string.unpack("s1", question, position)
		if label == "" then break end
		labels[#labels + 1] = label
	end
	local name = table.concat(labels, ".")
	asked[name] = (asked[name] or 0) + 1
	local kind = string.unpack(">H", question, position)
	local records = {}
	for _, record in ipairs(zone[name] or {}) do
		if record[1] == kind or record[1] == 5 then
			-- The name is a pointer to the question.
			records[#records + 1] = string.pack(">HHHI4s2", 0xc00c, record[1], 1, record[3], record[2])
		end
	end
	local code = zone[name] and 0 or 3
	return string.pack(">HHHHHH", id, 0x8180 | code, 1, #records, 0, 0)
		.. string.sub(question, 13) .. table.concat(records)
end

local port

local function start_server()
	if port then return end
	local probe, _
	probe, _, port = socket.listen("127.0.0.1", 0)
	socket.close(probe)
	local server
	server = socket.udp_listen("127.0.0.1", port, function(question, from)
		socket.sendto(server, from, "not an answer")
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

function cases.unknown_names_raise()
	start_server()
	check.raises("timeout or no answer", dns.resolve, "unknown.test")
end

function cases.many_at_once()
	start_server()
	dns.flush()
	local left, token = 0, {}
	for _ = 1, 20 do
		for name in pairs { ["two.test"] = 1, ["short.test"] = 1 } do
			left = left + 1
			skynet.fork(function()
				assert(dns.resolve(name))
				left = left - 1
				if left == 0 then skynet.wakeup(token) end
			end)
		end
	end
	skynet.wait(token)
end

check.run(cases)
