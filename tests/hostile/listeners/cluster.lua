-- The port of a node of a cluster.

local skynet = require "skynet"
local socket = require "skynet.socket"
local core = require "skynet.cluster.core"

local function request(session, ...)
	local packet = core.packrequest("@echo", session, skynet.pack(...))
	return packet
end

-- The same in parts (lualib-src/skynet/src/cluster/packet.rs).
local function large(session, text)
	local packets = { string.pack(">s2", string.pack("<Bs1I4I4", 0x81, "@echo", session, #text)) }
	for from = 1, #text, 0x8000 do
		local part = string.sub(text, from, from + 0x7fff)
		packets[#packets + 1] =
			string.pack(">s2", string.pack("<BI4", from + #part > #text and 3 or 2, session) .. part)
	end
	return table.concat(packets)
end

local M = { stays = true }

M.bytes = {
	cheapest = request(1, ""),
	slow = request(1, string.rep("s", 500)),
	-- A request of 4 GiB in parts begins.
	-- Tables within tables, each of which announces the rest of the message.
	rows = large(1, string.rep("\xfe\x22\xff\xff\xff\x7f", 900) .. string.rep("\0", 500000)),
	huge = string.pack(">s2", "\x01" .. string.pack("<I4I4I4", 9, 1, 0xffffffff)),
}

function M.start()
	local cluster = require "skynet.cluster"
	cluster.register("echo", skynet.newservice "echo")
	local port = require "ports".free()
	local _, real = cluster.open(port)
	return real or port
end

function M.open(port)
	local fd = assert(socket.open("127.0.0.1", port))
	local session = 0
	return function()
		session = session + 1
		socket.write(fd, request(session, "honest", session))
		local size = string.unpack(">I2", (assert(socket.read(fd, 2))))
		local number, ok, msg = core.unpackresponse(assert(socket.read(fd, size)))
		local text, echoed = skynet.unpack(msg)
		assert(number == session and ok and text == "honest" and echoed == session)
	end, function()
		socket.close(fd)
	end
end

return M
