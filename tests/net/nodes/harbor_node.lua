-- Two of these ask each other without end, by global name and by handle.
local skynet = require "skynet"
local harbor = require "skynet.harbor"
require "skynet.manager"

local STEP <const> = 300

local me = math.tointeger(tonumber(skynet.getenv "harbor"))
local other = "ECHO" .. 3 - me

local function ask_without_end()
	local answered, failed = 0, 0
	while true do
		local name = answered % 2 == 0 and other or harbor.queryname(other)
		local text = string.rep("x", answered % 1000)
		local ok, echo, from = pcall(skynet.call, name, "lua", text)
		if ok then
			assert(echo == text and from == 3 - me)
			answered = answered + 1
			if answered % STEP == 0 then
				print("progress", answered)
			end
		else
			failed = failed + 1
			if failed == 1 or answered > 0 then
				print "a call has failed"
			end
			skynet.sleep(10)
		end
	end
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, text)
		skynet.retpack(text, me)
	end)
	skynet.register("ECHO" .. me)
	print "serving"
	skynet.fork(function()
		harbor.connect(3 - me)
		ask_without_end()
	end)
end)
