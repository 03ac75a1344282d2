-- Every function of every module, with arguments that nobody means: none, one of each kind, several at random; in the main
-- chunk of a service and in a task. Each function has a service of its own.
local skynet = require "skynet"
local sweep = require "sweep"
local arguments = require "arguments"

local LIMIT <const> = 200 -- 1/100 s, after which a function counts as one that waits
local PATIENCE <const> = 30 -- 1/100 s, after which the next function is begun: what waits does so beside the others
local RANDOM_CASES <const>, MOST_ARGUMENTS <const> = 8, 5

-- Functions that end or hang the process, or the service, of the C core with such arguments, or do so because they should.
local LEFT_OUT <const> = {
	["client.socket"] = true, -- closes any descriptor
	["http.tlshelper"] = true, -- ends the process with what is no session; suite tls has what can be asked
	["ltls.c"] = true,
	["ltls.init.c"] = true,
	["skynet.abort"] = true,
	["skynet.cache.loadfile"] = true, -- reads the process's input
	["skynet.codecache.loadfile"] = true,
	["skynet.datasheet.dump.diff"] = true, -- memory without end
	["skynet.datasheet.dump.undump"] = true,
	["skynet.killthread"] = true, -- the empty name is that of the task that asks
	["skynet.socket.stdin"] = true, -- the process's input
	["skynet.memory.dumpinfo"] = true, -- pages on the process's stderr
	-- Make a service of the one that calls them.
	["skynet.init_service"] = true,
	["skynet.require.init_all"] = true,
	["skynet.start"] = true,
	["snax.loginserver"] = true,
	-- Take any number for an address.
	["skynet.multicast.core"] = true,
	["skynet.netpack.filter"] = true,
	["skynet.sharedata.core.needupdate"] = true,
	["skynet.sharemap.copy"] = true,
	["skynet.sharetable.core.clone"] = true,
	["skynet.socketdriver.unpack"] = true,
	["skynet.stm.copy"] = true,
	["skynet.stm.newcopy"] = true,
}

local function lists(subject)
	local all = { { "nothing" } }
	for kind = 1, arguments.KINDS do
		all[#all + 1] = { arguments.word(kind) }
	end
	local random = arguments.random(subject)
	for _ = 1, RANDOM_CASES do
		local words = {}
		for position = 1, 1 + random(MOST_ARGUMENTS - 1) do
			words[position] = arguments.word(random(arguments.KINDS))
		end
		all[#all + 1] = words
	end
	return all
end

local function record(subject, cases)
	local known = {}
	for _, case in ipairs(cases) do
		if not known[case[1]] then
			known[case[1]] = true
			sweep.record(subject, case[1], case[2])
		end
	end
end

local function sweep_function(module, key)
	local subject = "wrong " .. module .. (key ~= "" and "." .. key or "")
	local started, place = pcall(skynet.newservice, "differential_wrong", module, key ~= "" and key or "()")
	if not started then
		return sweep.record(subject, "all", "does not start")
	end
	local ok, cases = pcall(skynet.call, place, "lua", lists(subject), LIMIT)
	if ok then
		record(subject, cases)
		skynet.send(place, "debug", "EXIT")
	else
		sweep.record(subject, "all", "ends the service")
	end
end

-- The functions of the C core's modules, as they were recorded.
local function functions()
	local own = string.match(debug.getinfo(1, "S").source, "^@(.*/)suites/")
	local list = {}
	for line in io.lines(own .. "functions.tsv") do
		local module, key = string.match(line, "^([^#\t ]+)\t([^\t]*)")
		if
			module
			and not string.find(module, "^service/")
			and not LEFT_OUT[module .. "." .. key]
			and not LEFT_OUT[module]
		then
			list[#list + 1] = { module, key }
		end
	end
	return list
end

sweep.run(function()
	local running, done = 0, {}
	for _, entry in ipairs(functions()) do
		running = running + 1
		local token = {}
		skynet.fork(function()
			sweep_function(entry[1], entry[2])
			running = running - 1
			skynet.wakeup(token)
			skynet.wakeup(done)
		end)
		skynet.sleep(PATIENCE, token)
	end
	while running > 0 do
		skynet.wait(done)
	end
end)
