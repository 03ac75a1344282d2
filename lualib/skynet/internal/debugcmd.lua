--- The commands of the "debug" protocol. Each answers the running request itself.

local function clean_up(skynet)
	local before, started = collectgarbage "count", skynet.now()
	collectgarbage "collect"
	skynet.yield() -- GC requests that are queued meanwhile are dropped
	skynet.error(
		string.format(
			"GC %.2f Kb -> %.2f Kb, cost %.2f sec",
			before,
			collectgarbage "count",
			(skynet.now() - started) / 100
		)
	)
end

-- Figures and stacks.
local function add_reports(C, skynet, describe)
	local answer = skynet.retpack

	function C.MEM()
		answer(collectgarbage "count")
	end

	local collecting = false
	function C.GC()
		if not collecting then
			collecting = true
			clean_up(skynet)
			collecting = false
		end
	end

	function C.STAT()
		answer {
			task = skynet.task(),
			mqlen = skynet.stat "mqlen",
			cpu = skynet.stat "cpu",
			message = skynet.stat "message",
		}
	end

	function C.TASK(session)
		if session then
			return answer(skynet.task(session))
		end
		local stacks = {}
		skynet.task(stacks)
		answer(stacks)
	end

	function C.UNIQTASK()
		answer(skynet.uniqtask())
	end

	function C.INFO(...)
		answer(describe(...))
	end
end

-- What ends tasks, calls or the service.
local function add_endings(C, skynet)
	function C.KILLTASK(pattern)
		local task = skynet.killthread(pattern)
		if task then
			skynet.error(string.format("Kill %s", task))
			skynet.ret()
		else
			skynet.error(string.format("Kill %s : Not found", pattern))
			skynet.retpack "Not found"
		end
	end

	function C.EXIT()
		skynet.exit()
	end

	function C.TERM(service)
		skynet.ignoreret()
		skynet.term(service)
	end

	--- Nodes of the network of harbors are gone (id -> true): calls to their services fail. `names` are global names there.
	function C.LOST(harbors, names)
		skynet.ignoreret()
		local runtime = require "skynet.internal.kernel"
		for session, address in pairs(runtime.watched) do
			if names[address] or math.type(address) == "integer" and harbors[address >> 24] then
				runtime.fail_call(session)
			end
		end
	end

	--- Never answered: the caller gets an error when this service ends.
	function C.LINK()
		skynet.response()
	end
end

---@param skynet table the API
---@param export table see skynet/debug.lua
---@param describe function what `skynet.info_func` has set, or else gives nil
---@return table<string, function> commands
return function(skynet, export, describe)
	local C = {}
	local answer = skynet.retpack

	add_reports(C, skynet, describe)
	add_endings(C, skynet)

	--- Runs Lua source inside of the service, see skynet/inject.lua.
	function C.RUN(source, filename, ...)
		local inject = require "skynet.inject"
		local ok, output = inject(skynet, source, filename, table.pack(...), export.dispatch)
		collectgarbage "collect"
		answer(ok, table.concat(output, "\n"))
	end

	function C.REMOTEDEBUG(...)
		require "skynet.remotedebug".start(export, ...)
	end

	function C.SUPPORT(typename)
		answer(skynet.dispatch(typename) ~= nil)
	end

	--- Sets the level of skynet.log, if there is one; answers the one that holds, or nil and what is wrong with the level.
	function C.LOGLEVEL(level)
		local log = require "skynet.log"
		if level then
			local ok, problem = pcall(log.set_level, level)
			if not ok then
				return answer(nil, problem)
			end
		end
		answer(log.level())
	end

	function C.PING()
		skynet.ret()
	end

	function C.TRACELOG(typename, flag)
		if type(typename) ~= "string" then
			typename, flag = "lua", typename
		end
		skynet.error(string.format("Turn trace log %s for %s", flag, typename))
		skynet.traceproto(typename, flag)
		skynet.ret()
	end

	return C
end
