-- The node of benches/soak whose figures are taken: traffic of every kind, at a rate that leaves the machine idle most of the
-- time. Reads lines: "sample" prints the figures that only a node itself knows.
--
--     sample services=N pending=N calls=N ... failed=N problem=TEXT

local skynet = require "skynet"
local core = require "skynet.core"
local socket = require "skynet.socket"
local cluster = require "skynet.cluster"
local sharetable = require "skynet.sharetable"
local httpc = require "http.httpc"

local ECHO_PORT <const> = math.tointeger(tonumber(skynet.getenv "echo_port"))
local HTTP_PORT <const> = math.tointeger(tonumber(skynet.getenv "http_port"))

local done = {}
local failed, problem = 0, ""

-- Does something again and again, `pause` hundredths of a second apart; counts it.
local function traffic(name, pause, tasks, action)
	done[name] = 0
	for task = 1, tasks do
		skynet.fork(function()
			while true do
				local ok, err = pcall(action, task)
				if ok then
					done[name] = done[name] + 1
				else
					failed = failed + 1
					problem = name .. ": " .. string.gsub(tostring(err), "%s+", " ")
				end
				skynet.sleep(pause)
			end
		end)
	end
end

local function calls()
	local answerer = skynet.newservice "answerer"
	traffic("calls", 2, 8, function(task)
		local number, list = skynet.call(answerer, "lua", "echo", task, { 1, 2, { three = "3" } })
		assert(number == task and list[3].three == "3")
		skynet.send(answerer, "lua", "note", string.rep("n", task * 100))
	end)
end

local function timers()
	traffic("timers", 5, 1, function()
		for _ = 1, 20 do
			skynet.timeout(math.random(0, 500), function() end)
		end
	end)
end

local function echo_clients()
	traffic("clients", 10, 4, function(task)
		local fd = assert(socket.open("127.0.0.1", ECHO_PORT))
		for round = 1, 10 do
			local line = string.rep("e", round * 50 * task)
			socket.write(fd, line .. "\n")
			if socket.readline(fd) ~= line then
				socket.close(fd)
				error "another line came back"
			end
		end
		socket.close(fd)
	end)
end

local function launches()
	traffic("launches", 20, 1, function(_)
		local service = skynet.newservice "answerer"
		assert(skynet.call(service, "lua", "echo", "here") == "here")
		skynet.call(service, "lua", "exit")
	end)
end

local function tables()
	local reader = skynet.newservice "answerer"
	local version = 0
	traffic("tables", 50, 1, function()
		version = version + 1
		local content = { version = version, rows = {} }
		for row = 1, 200 do
			content.rows[row] = { id = row, name = "row " .. row, version = version }
		end
		sharetable.loadtable("soak", content)
		assert(skynet.call(reader, "lua", "shared", "soak") == version)
	end)
end

local function cluster_calls()
	cluster.reload { peer = skynet.getenv "peer" }
	traffic("cluster", 4, 2, function(task)
		local text = string.rep("c", math.random(1, task == 1 and 200 or 100000))
		assert(cluster.call("peer", "@answerer", "echo", text) == text)
	end)
end

local function requests()
	traffic("http", 20, 2, function(task)
		local status, body = httpc.get("127.0.0.1:" .. HTTP_PORT, "/soak" .. task)
		assert(status == 200 and body == "/soak" .. task, body)
	end)
end

local function figures()
	local own = core.command "METRICS"
	local timers_pending = own and string.match(own, "timers (%d+)") or ""
	local count = 0
	for _ in pairs(skynet.call(".launcher", "lua", "LIST")) do
		count = count + 1
	end
	local words = { "services=" .. count, "pending=" .. timers_pending }
	for name, number in pairs(done) do
		words[#words + 1] = name .. "=" .. number
	end
	return string.format("sample %s failed=%d problem=%s", table.concat(words, " "), failed, problem)
end

skynet.start(function()
	local input = assert(socket.stdin())
	skynet.newservice("servers", ECHO_PORT, HTTP_PORT)
	calls()
	timers()
	echo_clients()
	launches()
	tables()
	cluster_calls()
	requests()
	print "ready"
	io.stdout:flush()
	while socket.readline(input) do
		print(figures())
		io.stdout:flush()
	end
	skynet.abort()
end)
