-- Servers of a few lines for clients of databases: accepting, and the frames of Redis and MySQL.
local socket = require "skynet.socket"

local M = {}

--- A server: `talk(read, line, write)` for each connection.
function M.serve(talk)
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id)
		socket.start(id)
		pcall(talk, function(size)
			return assert(socket.read(id, size))
		end, function()
			return assert(socket.readline(id, "\r\n"))
		end, function(text)
			socket.write(id, text)
		end)
		socket.close(id)
	end)
	return listener, port
end

--- The words of a request to Redis.
function M.redis_request(read, line)
	local words = {}
	for i = 1, tonumber(string.match(line(), "^%*(%d+)$")) do
		local length = tonumber(string.match(line(), "^%$(%d+)$"))
		words[i] = length > 0 and read(length) or ""
		read(2)
	end
	return words
end

function M.lenenc(text)
	return string.char(#text) .. text
end

function M.packet(sequence, payload)
	return string.pack("<I3B", #payload, sequence) .. payload
end

function M.column(name, kind)
	local lenenc = M.lenenc
	return lenenc "def"
		.. lenenc "db"
		.. lenenc "t"
		.. lenenc "t"
		.. lenenc(name)
		.. lenenc(name)
		.. string.pack("<BI2I4BI2BI2", 0x0c, 33, 20, kind, 0, 0, 0)
end

M.EOF_PACKET = "\xfe\0\0\2\0"
M.OK = "\0\1\5\2\0\0\0"
M.GREETING = M.packet(
	0,
	"\10"
		.. "5.7.0-test\0"
		.. string.pack("<I4", 5)
		.. "12345678"
		.. "\0"
		.. string.pack("<I2BI2I2B", 0xf7ff, 33, 2, 0x8000 | 0x8, 21)
		.. string.rep("\0", 10)
		.. "123456789012\0"
		.. "mysql_native_password\0"
)

return M
