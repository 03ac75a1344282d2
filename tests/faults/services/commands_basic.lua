-- Does the node still do what a node does?

local skynet = require "skynet"
local socket = require "skynet.socket"

local M = {}

local echo

-- A timer, a call, and a task.
function M.ping()
	echo = echo or skynet.newservice "echo"
	skynet.sleep(1)
	assert(skynet.call(echo, "lua", "here") == "here")
	local forked
	skynet.fork(function()
		forked = true
	end)
	skynet.sleep(1)
	assert(forked)
	return "pong"
end

function M.log(count, text)
	for i = 1, count do
		skynet.error(string.format("%s %d.", text, i))
		if i % 50 == 0 then
			skynet.sleep(1)
		end
	end
	return count
end

function M.listen(port)
	local listener = socket.listen("127.0.0.1", math.tointeger(tonumber(port)))
	socket.start(listener, function(fd)
		skynet.fork(function()
			socket.start(fd)
			while true do
				local line = socket.readline(fd)
				if not line then
					break
				end
				socket.write(fd, line .. "\n")
			end
			socket.close(fd)
		end)
	end)
	return "listening"
end

function M.open(port)
	local fd, problem = socket.open("127.0.0.1", math.tointeger(tonumber(port)))
	if fd then
		socket.close(fd)
		return "open"
	end
	error(problem or "not open", 0)
end

function M.hog()
	local ok, problem = skynet.call(skynet.newservice "hog", "lua")
	return string.format("%s %s", ok, problem)
end

return M
