-- Starts services by lines of the standard input: "name arguments..." or "snax name arguments...".

local skynet = require "skynet"
local snax = require "skynet.snax"
local socket = require "skynet.socket"

local function run(line)
	local words = {}
	for word in string.gmatch(line, "%S+") do
		words[#words + 1] = word
	end
	-- Who does not start has said why in the log.
	if words[1] == "snax" then
		pcall(snax.newservice, table.unpack(words, 2))
	elseif words[1] then
		pcall(skynet.newservice, line)
	end
end

skynet.start(function()
	skynet.fork(function()
		local stdin = socket.stdin()
		local line = socket.readline(stdin)
		while line do
			run(line)
			line = socket.readline(stdin)
		end
	end)
end)
