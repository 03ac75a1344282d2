-- The first service of the other node in a network of harbors. Ends the node when it is told to, or when the first one is gone.
local skynet = require "skynet"
local harbor = require "skynet.harbor"
local multicast = require "skynet.multicast"
require "skynet.manager"

local FIRST <const> = 1

local CMD = {}
local heard, channel, echo = {}, nil, nil

function CMD.find(name)
	return harbor.queryname(name)
end

function CMD.name(name)
	harbor.globalname(name, echo)
end

function CMD.echo_handle()
	return echo
end

function CMD.another()
	return skynet.newservice "differential_echo"
end

function CMD.datacenter_get(...)
	return require "skynet.datacenter".get(...)
end

function CMD.subscribe(id)
	heard = {}
	channel = multicast.new {
		channel = id,
		dispatch = function(_, _, ...)
			heard[#heard + 1] = table.pack(...)
		end,
	}
	channel:subscribe()
end

function CMD.unsubscribe()
	channel:unsubscribe()
end

function CMD.heard()
	return heard
end

function CMD.channel()
	channel = multicast.new()
	return channel.channel
end

function CMD.publish(...)
	channel:publish(...)
end

function CMD.unique(name)
	return skynet.uniqueservice(true, name)
end

function CMD.global_snax()
	return require "skynet.snax".globalservice "differential_snax".handle
end

function CMD.end_node()
	os.exit(true, false)
end

skynet.start(function()
	echo = skynet.newservice "differential_echo"
	skynet.dispatch("lua", function(session, _, name, ...)
		if session == 0 then
			CMD[name](...)
		else
			skynet.retpack(CMD[name](...))
		end
	end)
	skynet.fork(function()
		harbor.link(FIRST)
		os.exit(true, false)
	end)
	harbor.globalname("far_echo", echo)
	harbor.globalname("far_node", skynet.self())
end)
