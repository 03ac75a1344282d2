-- Small modules: mqueue, md5, limitedlog, injectcode.
local skynet = require "skynet"
local mqueue = require "skynet.mqueue"
local injectcode = require "skynet.injectcode"
local md5 = require "md5"
local check = require "check"

local cases = {}

function cases.queued_requests_run_one_after_the_other()
	local running, order = 0, {}
	mqueue.register(function(what, ...)
		running = running + 1
		assert(running == 1)
		skynet.sleep(1)
		running = running - 1
		order[#order + 1] = what
		if what == "fail" then
			error "as asked"
		end
		return ...
	end)
	local me, done = skynet.self(), 0
	mqueue.send(me, "sent")
	for i = 1, 5 do
		skynet.fork(function()
			check.equal({ mqueue.call(me, i, i, 3) }, { i, 3 })
			done = done + 1
		end)
	end
	check.raises("as asked", mqueue.call, me, "fail")
	repeat
		skynet.sleep(1)
	until done == 5
	check.equal(order[1], "sent")
	check.equal(mqueue.size(), 0)
end

function cases.lines_that_strangers_cause_are_few_and_counted()
	if not check.ours then
		return
	end
	local limitedlog = require "skynet.internal.limitedlog"
	local written, error_of_skynet = {}, skynet.error
	function skynet.error(...)
		written[#written + 1] = table.concat({ ... }, " ")
	end
	local ok, problem = pcall(function()
		local log = limitedlog(20, 100)
		for i = 1, 1000 do
			log("line", i)
		end
		assert(#written >= 20 and #written < 900, #written) -- a busy machine may take longer than the time
		check.equal(written[20], "line 20")
		repeat
			skynet.sleep(5)
			log "again"
		until #written > 20
	end)
	skynet.error = error_of_skynet
	assert(ok, problem)
	local last = written[#written]
	assert(string.find(last, "^again %(and %d+ before that were not written%)$") or last == "again", last)
end

-- As it does where the function has 120 upvalues and 150 locals.
function cases.injected_code_sees_a_function_with_more_names_than_a_chunk_may_declare()
	if not check.ours then
		return -- "too many local variables"
	end
	local ups, uses, locals = {}, {}, {}
	for i = 1, 120 do
		ups[i], uses[i] = "local up" .. i .. " = " .. i, "up" .. i
	end
	for i = 1, 150 do
		locals[i] = "local here" .. i .. " = " .. i
	end
	local source = string.format(
		"%s return function() local _ = { %s } %s coroutine.yield() return here7 end",
		table.concat(ups, "\n"),
		table.concat(uses, ","),
		table.concat(locals, "\n")
	)
	local task = coroutine.create(load(source)())
	coroutine.resume(task)
	check.equal({ injectcode("here7 = here150 + up120; return here7, up1", task, 1) }, { true, 270, 1 })
	check.equal({ coroutine.resume(task) }, { true, 270 })
end

function cases.digests_are_those_of_the_standards()
	check.equal(md5.sumhexa "abc", "900150983cd24fb0d6963f7d28e17f72")
	check.equal(md5.hmacmd5("what do ya want for nothing?", "Jefe"), "750c783e6ab0b503eaa86e310a5db738")
	check.equal(
		md5.hmacmd5("Test Using Larger Than Block-Size Key - Hash Key First", string.rep("\xaa", 80)),
		"6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"
	)
end

check.run(cases)
