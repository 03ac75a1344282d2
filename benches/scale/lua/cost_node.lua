-- A node of benches/scale/costs, which does what is typed and prints a line when it is done.

local skynet = require "skynet"
local cluster = require "skynet.cluster"
local choice = require "skynet.cluster.choice"
local ring = require "skynet.cluster.ring"
local commands = require "commands"
local socket = require "skynet.socket"

local served = 0
local sessions = {} -- connection -> what a server knows of a client at least
local changes = 0
local command = {}

local function say(...)
	print(...)
	io.stdout:flush()
end

--- connect FIRST LAST: a connection to each of those nodes
function command.connect(first, last)
	local well = 0
	for number = tonumber(first), tonumber(last) do
		if pcall(cluster.call, string.format("f%05d", number), "@answer", "who") then
			well = well + 1
		end
	end
	say("connected", well)
end

--- call COUNT NODE: one after another, sixteen at a time
function command.call(count, node)
	local left, tasks = tonumber(count), 16
	local before = skynet.hpc()
	for _ = 1, 16 do
		skynet.fork(function()
			while left > 0 do
				left = left - 1
				cluster.call(node, "@answer", "who", 12345, "a request of a usual size, such as most are")
			end
			tasks = tasks - 1
			if tasks == 0 then
				say("called", (skynet.hpc() - before) / 1e9)
			end
		end)
	end
end

--- slowly COUNT NODE PAUSE: one after another, with so many 1/100 s between them
function command.slowly(count, node, pause)
	for _ = 1, tonumber(count) do
		cluster.call(node, "@answer", "who", 12345, "a request of a usual size, such as most are")
		skynet.sleep(tonumber(pause))
	end
	say "called"
end

--- choose COUNT SIZE: seconds to choose one of so many services, in each way
function command.choose(count, size)
	local list, here = {}, {
		waiting = {},
		is_down = function()
			return false
		end,
	}
	for i = 1, tonumber(size) do
		list[i] = {
			node = string.format("n%05d", i),
			key = string.format("names/shop/n%05d/1", i),
			load = i % 7,
			zone = "z" .. i % 3,
		}
	end
	local took = {}
	for i, wanted in ipairs {
		choice.wanted "shop",
		choice.wanted { "shop", by = "least" },
		choice.wanted { "shop", by = "any" },
		choice.wanted { "shop", key = 1 },
	} do
		choice.choose(list, wanted, here)
		local before = skynet.hpc()
		for _ = 1, tonumber(count) do
			choice.choose(list, wanted, here)
		end
		took[i] = (skynet.hpc() - before) / 1e9 / tonumber(count)
	end
	say("chosen", table.unpack(took))
end

--- watch NAME: its services, as `call_name` does
function command.watch(name)
	cluster.watch_name(name, function(list)
		changes = changes + 1
		command.size = #list
	end)
	say "watching"
end

function command.changes()
	say("changes", changes, command.size or 0)
end

--- ring COUNT: seconds to make a ring of so many owners, and from one that had one owner less; its bytes
function command.ring(count)
	local owners = {}
	for i = 1, tonumber(count) do
		owners[i] = string.format("n%05d/1", i)
	end
	collectgarbage()
	local memory, before = collectgarbage "count", skynet.hpc()
	local made = ring.new(owners)
	local took = (skynet.hpc() - before) / 1e9
	collectgarbage()
	memory = math.floor((collectgarbage "count" - memory) * 1024)
	owners[#owners + 1] = "another"
	before = skynet.hpc()
	made = ring.new(owners, made)
	say("ring", took, (skynet.hpc() - before) / 1e9, memory, made and 1)
end

--- listen: for clients, of which it keeps what a server keeps at least
function command.listen()
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(fd, from)
		socket.start(fd)
		sessions[fd] = { name = "player" .. fd, from = from, since = skynet.now(), room = 17, seat = 3 }
		skynet.fork(function()
			while socket.read(fd, 4) do
				socket.write(fd, "pong")
			end
			socket.close(fd)
			sessions[fd] = nil
		end)
	end)
	say("listening", port)
end

function command.collect()
	for _ = 1, 2 do
		skynet.call(".launcher", "lua", "GC", 500)
	end
	say "collected"
end

skynet.start(function()
	skynet.dispatch("lua", function()
		served = served + 1
		skynet.retpack(served)
	end)
	cluster.register "answer"
	cluster.open()
	skynet.fork(commands, command)
	say "ready"
end)
