-- Lines `NAME WORD...` of the standard input, each a command in a task of its own. Yields until the input ends.
local skynet = require "skynet"
local socket = require "skynet.socket"

return function(command)
	local stdin = socket.stdin()
	local line = socket.readline(stdin)
	while line do
		local words = {}
		for word in string.gmatch(line, "%S+") do
			words[#words + 1] = word
		end
		skynet.fork(command[words[1]], table.unpack(words, 2))
		line = socket.readline(stdin)
	end
end
