-- The other side of the tests' messages.
local skynet = require "skynet"
require "skynet.manager"

local command = {}
local kept = {}

function command.echo(...)
	skynet.retpack(...)
end

function command.address(value) -- of memory
	local block, size = skynet.pack "a block"
	skynet.retpack(value, { block })
	skynet.trash(block, size)
end

local memory

function command.remember(value)
	memory = value
end

function command.remembered()
	skynet.retpack(memory)
end

function command.sized(bytes)
	skynet.retpack(string.rep("s", bytes))
end

function command.fail()
	error "as asked"
end

function command.sleep(centiseconds, value)
	skynet.sleep(centiseconds)
	skynet.retpack(value)
end

function command.never() -- keeps the answer for `release`
	table.insert(kept, skynet.response())
end

local dropping

function command.drop(how)
	local respond = skynet.response()
	if how == "raise" then
		error "as asked"
	elseif how == "be killed" then
		dropping = coroutine.running()
		skynet.wait()
		respond(true)
	end
end

function command.kill_dropping()
	skynet.killthread(dropping)
	dropping = nil
	skynet.retpack()
end

function command.drop_and_collect()
	skynet.response()
	skynet.fork(collectgarbage)
end

function command.collect()
	collectgarbage()
	skynet.retpack()
end

function command.release(ok, ...)
	local results = {}
	for i, respond in ipairs(kept) do
		results[i] = respond(ok, ...)
	end
	kept = {}
	skynet.retpack(table.unpack(results))
end

function command.promises()
	local alive = {}
	for i, respond in ipairs(kept) do
		alive[i] = respond "TEST"
	end
	skynet.retpack(table.unpack(alive))
end

function command.sender_of(node)
	skynet.retpack(require("skynet.cluster").get_sender(node))
end

function command.send_numbers(node, address, ...)
	local who, count = ...
	for number = 1, count do
		require("skynet.cluster").send(node, address, who, number)
	end
end

function command.call(address, ...) -- calls on
	skynet.retpack(pcall(skynet.call, address, "lua", ...))
end

function command.close_task()
	coroutine.close(coroutine.running())
end

local in_order = require "skynet.queue"()

function command.in_queue(centiseconds)
	in_order(skynet.sleep, centiseconds)
	skynet.retpack()
end

function command.exit()
	skynet.exit()
end

function command.context()
	skynet.retpack(skynet.context())
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		command[name](...)
	end)
end)
