-- A client of the service that is tested: a TCP connection whose functions raise instead of answering nil, so that a test
-- that loses its connection says so.

local socket = require "skynet.socket"
local run = require "skynet.internal.testing.run"

---@class skynet.test.client
---@field id integer its socket
local Client = {}
Client.__index = Client

local makers = {}

--- See skynet.test, `client`.
function makers.new(port, host)
	local id, problem = socket.open(host or "127.0.0.1", port)
	if not id then
		run.fail(string.format("%s:%s: %s", host or "127.0.0.1", tostring(port), tostring(problem)))
	end
	local client = setmetatable({ id = id }, Client)
	run.finally(function()
		client:close()
	end)
	return client
end

local function received(value, what)
	if not value then
		run.fail("the connection was closed while the client waited for " .. what)
	end
	return value
end

--- Sends bytes as they are.
---@param text string
function Client:send(text)
	if not socket.write(self.id, text) then
		run.fail "the connection was closed before the client sent"
	end
end

--- Waits for a line. Yields.
---@return string line without its end (LF, or CR and LF)
function Client:line()
	local line = received(socket.readline(self.id, "\n"), "a line")
	return (string.gsub(line, "\r$", ""))
end

--- Waits for bytes. Yields.
---@param size integer
---@return string
function Client:read(size)
	return received(socket.read(self.id, size), size .. " bytes")
end

--- Sends a packet as gates have them: two bytes for its length, the higher one first.
---@param text string at most 65,535 bytes
function Client:send_packet(text)
	self:send(string.pack(">s2", text))
end

--- Waits for such a packet. Yields.
---@return string
function Client:packet()
	local size = string.unpack(">I2", received(socket.read(self.id, 2), "a packet"))
	return size == 0 and "" or received(socket.read(self.id, size), "the rest of a packet")
end

--- Waits until the peer closes. Yields.
---@return string rest what came before
function Client:rest()
	return socket.readall(self.id)
end

--- Closes the connection; the end of the test does it, too.
function Client:close()
	if self.id then
		socket.close(self.id)
		self.id = nil
	end
end

return makers
