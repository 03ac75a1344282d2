-- One row for one language, in a process of its own: prints what it costs.
local skynet = require "skynet"
require "skynet.manager"

local row, language = skynet.getenv "row", skynet.getenv "language"
local number = assert(tonumber(skynet.getenv "number"))

skynet.register_protocol {
	name = "text",
	id = skynet.PTYPE_TEXT,
	pack = function(text)
		return text
	end,
	unpack = skynet.tostring,
}
skynet.register_protocol {
	name = "go",
	id = 40,
	pack = function(text)
		return text
	end,
}

local waiting

local function start(kind, ...)
	if language == "lua" then
		return skynet.newservice("l" .. kind, ...)
	end
	return assert(skynet.launch((language == "c" and "c" or "r") .. kind, ...))
end

-- CPU time of the process until a service says that it is done, in ns for each of `count`.
local function until_end(count, go)
	local begin = os.clock()
	go()
	waiting = coroutine.running()
	skynet.wait(waiting)
	return (os.clock() - begin) * 1e9 / count
end

local function resident()
	local file <close> = assert(io.open "/proc/self/statm")
	return tonumber(file:read("a"):match "^%d+ (%d+)") * 4096
end

local rows = {}

rows["ping-pong"] = function()
	local one, other = start("ping", number // 2), start("ping", 0)
	return until_end(number, function()
		skynet.send(one, "go", tostring(other))
	end)
end

rows["fan-in"] = function()
	local receiver = start("receiver", number)
	local senders = {}
	for index = 1, 64 do
		senders[index] = start "sender"
	end
	return until_end(number, function()
		for _, sender in ipairs(senders) do
			skynet.send(sender, "go", tostring(receiver))
		end
	end)
end

rows["launch"] = function()
	local begin = os.clock()
	for _ = 1, number do
		start "idle"
	end
	return (os.clock() - begin) * 1e9 / number
end

-- From the first launch until all are gone.
rows["launch and end"] = function()
	local begin = os.clock()
	for _ = 1, number // 100 do
		local list = {}
		for index = 1, 100 do
			list[index] = start "idle"
		end
		for _, service in ipairs(list) do
			skynet.kill(service)
		end
		skynet.yield()
	end
	return (os.clock() - begin) * 1e9 / number
end

rows["memory"] = function()
	start "idle"
	local before = resident()
	for _ = 1, number do
		start "idle"
	end
	return (resident() - before) / number
end

rows["call"] = function()
	local one, other = start "caller", start "caller"
	local begin = os.clock()
	skynet.call(one, "lua", "go", other, number)
	return (os.clock() - begin) * 1e9 / number
end

skynet.start(function()
	skynet.register ".main"
	skynet.dispatch("text", function()
		skynet.wakeup(waiting)
	end)
	skynet.fork(function()
		local ok, value = pcall(rows[row])
		print(ok and string.format("RESULT %.3f", value) or "FAILED " .. tostring(value))
		skynet.abort()
	end)
end)
