-- Messages that are not answered: one Lua service sends to another in windows of 64; the receiver confirms a window.
-- Prints "BENCH rate SENDS_PER_SECOND" and ends the process.
local skynet = require "skynet"

local WINDOW = 64
local role = ...

local function receiver()
	local got = 0
	skynet.dispatch("lua", function(_, source)
		got = got + 1
		if got % WINDOW == 0 then
			skynet.send(source, "lua", "more")
		end
	end)
end

local function run()
	local peer = skynet.newservice("bench_send", "receiver")
	local ticks = tonumber(skynet.getenv "bench_ticks")
	local sent, stage = 0, "warm"
	local from_n, from_ns, last
	local function window()
		for _ = 1, WINDOW do
			skynet.send(peer, "lua", 1)
		end
		sent = sent + WINDOW
	end
	last = skynet.now() + ticks // 4
	skynet.dispatch("lua", function()
		if skynet.now() >= last then
			if stage == "warm" then
				stage, from_n, from_ns, last = "measure", sent, skynet.hpc(), skynet.now() + ticks
			else
				local rate = (sent - from_n) * 1e9 / (skynet.hpc() - from_ns)
				io.stdout:write(string.format("\nBENCH rate %.6g\n", rate))
				io.stdout:flush()
				os.exit(0)
			end
		end
		window()
	end)
	window()
	window()
end

if role == "receiver" then
	skynet.start(receiver)
else
	skynet.start(run)
end
