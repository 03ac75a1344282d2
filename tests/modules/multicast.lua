-- skynet.multicast.core
local skynet = require "skynet"
local check = require "check"
local multicast = require "skynet.multicast.core"

local mode, publisher = ...

local MESSAGES <const> = 2000
local SEALED <const> = 16 -- bytes of a handle

local function register(handler)
	skynet.register_protocol {
		name = "multicast",
		id = skynet.PTYPE_MULTICAST,
		unpack = multicast.unpack,
		dispatch = handler,
	}
end

if mode == "subscriber" then
	local seen = 0
	skynet.start(function()
		register(function(channel, _, package, message, size)
			skynet.ignoreret() -- the channel stands where a session would
			local count, text = skynet.unpack(message, size)
			multicast.close(package)
			seen = seen + 1
			assert(channel == 7 and count == seen and text == string.rep("x", count % 100))
			if seen == MESSAGES then
				skynet.send(publisher, "lua", "done")
				skynet.exit()
			end
		end)
	end)
	return
end

local cases = {}

function cases.a_package_carries_a_message_to_its_readers()
	local handle, size = multicast.pack(skynet.pack("hello", { 1 }))
	assert(size == SEALED or size == 8) -- an address alone on the C core
	local package, message, length = multicast.unpack(handle, size)
	check.equal({ skynet.unpack(message, length) }, { "hello", { 1 } })
	check.equal(multicast.bind(handle, 2), package)
	check.equal(multicast.close(package), nil)
	check.equal({ skynet.unpack(message, length) }, { "hello", { 1 } })
	multicast.close(package)
end

function cases.a_package_for_other_nodes_gives_its_message_back()
	local message, size = skynet.pack "far"
	local handle = multicast.pack(message, size)
	check.equal({ multicast.remote(handle) }, { message, size })
	skynet.trash(message, size)
end

function cases.a_package_of_another_node_is_a_copy()
	local message, size = skynet.pack "from afar"
	local handle, length = multicast.packremote(message, size)
	skynet.trash(message, size)
	local package, copy, copied = multicast.unpack(handle, length)
	check.equal(skynet.unpack(copy, copied), "from afar")
	multicast.close(multicast.bind(handle, 1))
	assert(package)
end

function cases.wrong_use_is_an_error()
	local handle, length = multicast.pack(skynet.pack(1))
	check.raises("Invalid multicast package size 7", multicast.unpack, handle, 7)
	local package = multicast.unpack(handle, length)
	check.raises("Invalid multicast package reference -1", multicast.close, package)
	local message, size = skynet.pack(1)
	check.raises("Size should be 32bit integer", multicast.pack, message, 1 << 32)
	check.raises("Size should be 32bit integer", multicast.packremote, message, 1 << 32)
	skynet.trash(message, size)
end

-- Such bytes come from other nodes of a network of harbors.
function cases.only_handles_of_this_process_are_packages()
	local handle, length = multicast.pack(skynet.pack(1))
	if length == SEALED then
		local forged, size = skynet.pack(string.rep("A", SEALED - 1))
		check.equal(size, SEALED)
		check.raises("Invalid multicast package", multicast.unpack, forged, size)
		check.raises("Invalid multicast package", multicast.bind, forged, 1)
		skynet.trash(forged, size)
	end
	multicast.close(multicast.bind(handle, 1))
end

function cases.channels_of_a_node_differ_by_256()
	check.equal(multicast.nextid(3), 259)
	check.equal(multicast.nextid(0x7fffff05), 5)
	check.equal(multicast.nextid(0xffffff05), 5)
end

function cases.services_on_all_workers_read_one_block()
	local SUBSCRIBERS <const> = 5
	local done, subscribers = 0, {}
	register()
	skynet.dispatch("lua", function()
		done = done + 1
	end)
	for i = 1, SUBSCRIBERS do
		subscribers[i] = skynet.newservice("multicast", "subscriber", skynet.self())
	end
	for count = 1, MESSAGES do
		local handle, size = multicast.pack(skynet.pack(count, string.rep("x", count % 100)))
		local bytes = skynet.tostring(handle, size)
		multicast.bind(handle, SUBSCRIBERS)
		for _, subscriber in ipairs(subscribers) do
			skynet.redirect(subscriber, skynet.self(), "multicast", 7, bytes)
		end
	end
	while done < SUBSCRIBERS do
		skynet.sleep(0)
	end
end

check.run(cases)
