-- Answers, fails, dies or keeps silent, as asked.
local skynet = require "skynet"
local sweep = require "sweep"
require "skynet.manager"

local CMD = {}
local kept = {}
local seen = {}

function CMD.echo(...)
	skynet.retpack(...)
end

function CMD.nothing()
	skynet.ret()
end

function CMD.raw(text)
	skynet.ret(text)
end

function CMD.fail(problem)
	error(problem)
end

function CMD.exit()
	skynet.exit()
end

function CMD.answer_and_exit(...)
	skynet.retpack(...)
	skynet.exit()
end

function CMD.later(time, ...)
	skynet.sleep(time)
	skynet.retpack(...)
end

function CMD.silent() end

function CMD.twice(...)
	skynet.retpack(...)
	skynet.retpack(...)
end

function CMD.keep()
	kept[#kept + 1] = skynet.response()
end

function CMD.release(ok, ...)
	local respond = table.remove(kept, 1)
	skynet.retpack(respond("TEST"), respond(ok, ...))
end

function CMD.release_twice(...)
	local respond = table.remove(kept, 1)
	respond(true, ...)
	skynet.retpack(pcall(respond, true, ...))
end

function CMD.quietly_keep()
	skynet.response()
	skynet.ignoreret()
end

function CMD.context()
	local session, source = skynet.context()
	skynet.retpack(math.type(session), math.type(source))
end

function CMD.note(word)
	seen[#seen + 1] = word
	if select("#", skynet.context()) == 2 and skynet.context() ~= 0 then
		skynet.ret()
	end
end

function CMD.seen()
	skynet.retpack(seen)
	seen = {}
end

function CMD.start_failing(how)
	skynet.retpack(pcall(skynet.newservice, "differential_failing", how))
end

sweep.texts(function(session, _, text)
	if session ~= 0 then
		skynet.ret("text " .. text)
	else
		seen[#seen + 1] = text
	end
end)

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		CMD[name](...)
	end)
end)
