-- The node that meets a fault. It connects to the port of the config key `control`, and answers lines there, each in a task
-- of its own:
--
--     NUMBER COMMAND ARGUMENTS  ->  NUMBER ok TEXT, or NUMBER error TEXT
--
-- commands_*.lua have the commands. Only functions that the C core's Lua layer has too are used.

local skynet = require "skynet"
local socket = require "skynet.socket"

local MODULES <const> = { "commands_basic", "commands_load", "commands_peers" }

local commands = {}

local function one_line(value)
	return (string.gsub(tostring(value), "%s+", " "))
end

local function answer(fd, line)
	local number, name, rest = string.match(line, "^(%d+) (%S+) ?(.*)")
	local words = {}
	for word in string.gmatch(rest, "%S+") do
		words[#words + 1] = word
	end
	local ok, result = pcall(commands[name], table.unpack(words))
	socket.write(fd, string.format("%s %s %s\n", number, ok and "ok" or "error", one_line(result)))
end

skynet.start(function()
	for _, name in ipairs(MODULES) do
		for command, action in pairs(require(name)) do
			commands[command] = action
		end
	end
	local fd = assert(socket.open("127.0.0.1", math.tointeger(tonumber(skynet.getenv "control"))))
	skynet.fork(function()
		while true do
			local line = socket.readline(fd)
			if not line then
				return skynet.abort()
			end
			skynet.fork(answer, fd, line)
		end
	end)
	socket.write(fd, "0 ok ready\n")
end)
