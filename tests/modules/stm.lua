-- skynet.stm
local skynet = require "skynet"
local check = require "check"
local stm = require "skynet.stm"

local mode, writer_address = ...

-- Values of the stress test: a count, and a text that must belong to it.
local VERSIONS <const> = 3000

local function value(count)
	return count, string.rep(tostring(count), 50)
end

if mode == "reader" then
	local function follow()
		local reader = stm.newcopy(skynet.call(writer_address, "lua", "copy"))
		local last = -1
		while last < VERSIONS do
			local changed, count, text = reader(skynet.unpack)
			if changed then
				assert(count > last, "an older version")
				assert(text == select(2, value(count)), "a torn version")
				last = count
			end
			skynet.yield()
		end
		skynet.send(writer_address, "lua", "done")
		skynet.exit()
	end
	skynet.start(function()
		skynet.fork(follow)
	end)
	return
end

local cases = {}

function cases.a_reader_gets_each_version_once()
	local writer = stm.new "one"
	local reader = stm.newcopy(stm.copy(writer))
	local function text(message, size, more)
		return skynet.tostring(message, size), size, more
	end
	check.equal({ reader(text, "more") }, { true, "one", 3, "more" })
	check.equal({ reader(text) }, { false })
	writer "two"
	writer "three"
	check.equal({ reader(text) }, { true, "three", 5 })
	check.equal({ reader(text) }, { false })
end

function cases.messages_are_taken_over()
	local writer = stm.new(skynet.pack(1, "x", { y = 2 }))
	local reader = stm.newcopy(stm.copy(writer))
	check.equal({ reader(skynet.unpack) }, { true, 1, "x", { y = 2 } })
	writer(skynet.pack "next")
	check.equal({ reader(skynet.unpack) }, { true, "next" })
end

function cases.memory_of_lua_is_not_taken_over()
	local writer = stm.new "mine"
	local copy = stm.copy(writer)
	for _, block in ipairs { io.stdout, writer } do
		check.raises("string expected", stm.new, block, 5)
		check.raises("string expected", writer, block, 5)
	end
	check.equal({ stm.newcopy(copy)(skynet.tostring) }, { true, "mine" })
end

function cases.an_empty_value_is_a_value()
	local reader = stm.newcopy(stm.copy(stm.new ""))
	check.equal({ reader(function(_, size)
		return size
	end) }, { true, 0 })
end

function cases.readers_outlive_the_writer()
	local writer = stm.new "last"
	local early = stm.newcopy(stm.copy(writer))
	local late = stm.newcopy(stm.copy(writer))
	check.equal({ early(skynet.tostring) }, { true, "last" })
	writer = nil
	collectgarbage()
	collectgarbage()
	check.equal({ early(skynet.tostring) }, { false })
	check.equal({ late(skynet.tostring) }, { false })
end

function cases.an_error_of_the_function_is_the_callers()
	local writer = stm.new "x"
	local reader = stm.newcopy(stm.copy(writer))
	check.raises("in the function", reader, function()
		error "in the function"
	end)
	check.equal({ reader(skynet.tostring) }, { false })
	check.raises("function expected", reader, "no function")
	check.raises("string expected", stm.new)
	check.raises("string expected", writer, {})
end

function cases.services_on_all_workers_read_what_one_writes()
	local READERS <const> = 4
	local writer = stm.new(skynet.pack(value(0)))
	local done, joined = 0, 0
	skynet.dispatch("lua", function(_, _, command)
		if command == "copy" then
			joined = joined + 1
			skynet.ret(skynet.pack(stm.copy(writer)))
		else
			done = done + 1
		end
	end)
	for _ = 1, READERS do
		skynet.newservice("stm", "reader", skynet.self())
	end
	while joined < READERS do
		skynet.sleep(0)
	end
	for count = 1, VERSIONS do
		writer(skynet.pack(value(count)))
		if count % 10 == 0 then
			skynet.yield()
		end
	end
	while done < READERS do
		skynet.sleep(0)
	end
end

check.run(cases)
