-- Channels.
local skynet = require "skynet"
local multicast = require "skynet.multicast"
local check = require "check"

local cases = {}

local function subscriber(number)
	local s = skynet.newservice "subscriber"
	skynet.call(s, "lua", "subscribe", number)
	return s
end

local function wait_for(s, count)
	repeat
		local got = skynet.call(s, "lua", "got")
		skynet.yield()
	until #got >= count
	return skynet.call(s, "lua", "got")
end

function cases.all_subscribers_get_what_is_published()
	local channel = multicast.new()
	local a, b = subscriber(channel.channel), subscriber(channel.channel)
	channel:publish("x", { 1, 2 }, nil)
	channel:publish "last"
	for _, s in ipairs { a, b } do
		check.equal(wait_for(s, 2), { { skynet.self(), "x", { 1, 2 }, n = 4 }, { skynet.self(), "last", n = 2 } })
	end
end

function cases.an_ended_subscription_gets_nothing()
	local channel = multicast.new()
	local a, b = subscriber(channel.channel), subscriber(channel.channel)
	skynet.call(a, "lua", "unsubscribe")
	channel:publish(1)
	check.equal(#wait_for(b, 1), 1)
	check.equal(skynet.call(a, "lua", "got"), {})
end

function cases.a_dead_subscriber_does_not_stop_the_others()
	local channel = multicast.new()
	local a, b = subscriber(channel.channel), subscriber(channel.channel)
	skynet.kill(a)
	channel:publish(1)
	channel:publish(2)
	check.equal(#wait_for(b, 2), 2)
end

function cases.a_channel_without_subscribers_takes_messages()
	local channel = multicast.new()
	channel:publish(1)
	channel:delete()
	check.raises("", channel.publish, channel, 1)
	check.equal(multicast.new { channel = 0x7f00 }.channel, 0x7f00)
end

function cases.own_packing_is_used()
	local got
	local channel = multicast.new {
		pack = function(text)
			return skynet.pack("<" .. text .. ">")
		end,
		unpack = function(msg, sz)
			return "(" .. skynet.unpack(msg, sz) .. ")"
		end,
		dispatch = function(_, source, text)
			got = { source, text }
		end,
	}
	channel:subscribe()
	channel:publish "t"
	skynet.yield()
	check.equal(got, { skynet.self(), "(<t>)" })
	channel:unsubscribe()
end

check.run(cases)
