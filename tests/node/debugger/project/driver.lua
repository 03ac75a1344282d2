-- Asks the service of main.lua for what the test types: "NAME ARGUMENTS" a line. "tell NAME ..." does not wait for the answer;
-- "kill" kills it, "adapter ADDRESS" the debug adapter, "wait" a tenth of a second, "many N" starts N services that stop at the same line,
-- "second" starts another debug adapter, "profile" a profile of the node.

local skynet = require "skynet"
local manager = require "skynet.manager"
local socket = require "skynet.socket"

local target = math.tointeger(tonumber((...)))

local function words(line)
	local list = {}
	for word in string.gmatch(line, "%S+") do
		list[#list + 1] = math.tointeger(tonumber(word)) or word
	end
	return table.unpack(list)
end

local function ask(line)
	local ok, answer = pcall(skynet.call, target, "lua", words(line))
	print(string.format("%s: %s", line, ok and tostring(answer) or "failed"))
end

local own = {}

function own.kill()
	manager.kill(target)
	print "killed"
end

function own.send(count)
	for i = 1, count do
		skynet.fork(ask, "add " .. i .. " 0")
	end
	skynet.fork(print, "sent " .. count)
end

function own.many(count)
	for _ = 1, count do
		skynet.fork(skynet.newservice, "same")
	end
end

function own.adapter(address)
	manager.kill(address)
	print "adapter killed"
end

function own.second()
	local adapter = skynet.newservice "debug_adapter"
	while require("skynet.core").command("MQLEN", skynet.address(adapter)) do
		skynet.sleep(1)
	end
	print "second ended"
end

function own.profile()
	skynet.profile_start { node = true, hz = 1000 }
	print "profile begun"
end

function own.wait()
	skynet.sleep(10)
	print "waited"
end

function own.stop()
	manager.abort()
end

skynet.start(function()
	skynet.fork(function()
		local stdin = socket.stdin()
		for line in
			function()
				return socket.readline(stdin)
			end
		do
			local name, rest = string.match(line, "^(%a+) ?(.*)$")
			if own[name] then
				own[name](words(rest))
			else
				skynet.fork(ask, line)
			end
		end
	end)
end)
