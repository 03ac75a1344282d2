-- The node of an honest client. Reads lines: "begin NAME PORT" starts asking that listener, every time with a new connection
-- and over one that stays; "end" prints what became of it:
--
--     honest asked=N failed=N worst_ms=N problem=TEXT

local skynet = require "skynet"
local socket = require "skynet.socket"

local PAUSE <const> = 2 -- 1/100 s between two requests
local RETRY <const> = 500 -- 1/100 s in which a new connection may be turned away
local PATIENCE <const> = 1500 -- 1/100 s until a request counts as not answered

local function now_ms()
	return skynet.hpc() // 1000000
end

-- Runs one request; it fails when it raises, or does not return.
local function attempt(figures, request, ...)
	local begin, token, done = now_ms(), {}, false
	local ok, problem
	local arguments = table.pack(...)
	skynet.fork(function()
		ok, problem = pcall(request, table.unpack(arguments, 1, arguments.n))
		done = true
		skynet.wakeup(token)
	end)
	skynet.sleep(PATIENCE, token)
	if not done then
		ok, problem = false, "no answer"
	end
	figures.asked = figures.asked + 1
	figures.worst = math.max(figures.worst, now_ms() - begin)
	if not ok then
		figures.failed = figures.failed + 1
		figures.problem = figures.problem or string.gsub(tostring(problem), "%s+", " ")
	end
	return ok
end

local function try_once(listener, port)
	local ask, close = listener.open(port)
	local ok, problem = pcall(ask)
	close()
	assert(ok, problem)
end

-- Clients that are turned away come again.
local function ask_once(listener, port)
	local begin = skynet.now()
	while true do
		local ok, problem = pcall(try_once, listener, port)
		if ok then
			return
		elseif skynet.now() - begin > RETRY then
			error(problem, 0)
		end
		skynet.sleep(10)
	end
end

local function run(listener, port, figures)
	local ask, close
	if listener.stays then
		attempt(figures, function()
			ask, close = listener.open(port)
		end)
	end
	while not figures.over do
		attempt(figures, ask_once, listener, port)
		if ask then
			attempt(figures, ask)
		end
		skynet.sleep(PAUSE)
	end
	if close then
		close()
	end
	skynet.wakeup(figures)
end

skynet.start(function()
	local input = assert(socket.stdin())
	local figures
	print "ready"
	io.stdout:flush()
	while true do
		local line = socket.readline(input)
		if not line then
			return skynet.abort()
		end
		local name, port = string.match(line, "^begin (%S+) (%d+)")
		if name then
			figures = { asked = 0, failed = 0, worst = 0 }
			skynet.fork(run, require("listeners." .. name), math.tointeger(port), figures)
		else
			figures.over = true
			skynet.wait(figures)
			print(
				string.format(
					"honest asked=%d failed=%d worst_ms=%d problem=%s",
					figures.asked,
					figures.failed,
					figures.worst,
					figures.problem or ""
				)
			)
			io.stdout:flush()
		end
	end
end)
