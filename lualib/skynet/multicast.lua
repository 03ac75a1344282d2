--- Channels: what one service publishes reaches all that have subscribed, on every node of the network
--- of harbors.
---
---     local channel = multicast.new()                     -- a new channel; channel.channel is its number
---     local same = multicast.new {
---         channel = number,                               -- of an existing channel
---         dispatch = function(channel, source, ...) end,  -- gets what is published
---     }
---     same:subscribe()
---     channel:publish(1, 2, 3)

local skynet = require "skynet"
local core = require "skynet.multicast.core"
local defer = require "skynet.internal.defer"

---@class skynet.multicast
local multicast = {}

local multicastd
local subscribed = {} -- number -> channel object

---@class skynet.multicast.Channel
local Channel = {}

local channel_meta = {
	__index = Channel,
	__gc = function(self)
		self:unsubscribe()
	end,
	__tostring = function(self)
		return string.format("[Multicast:%x]", self.channel)
	end,
}

--- A channel object. Yields when it makes a new channel.
---@param conf { channel: integer?, dispatch: function?, pack: function?, unpack: function? }? without
--- `channel` it is a new one; pack and unpack are those of skynet by default
---@return skynet.multicast.Channel channel
function multicast.new(conf)
	assert(multicastd, "Init first")
	conf = conf or {}
	return setmetatable({
		channel = conf.channel or skynet.call(multicastd, "lua", "NEW"),
		__pack = conf.pack or skynet.pack,
		__unpack = conf.unpack or skynet.unpack,
		__dispatch = conf.dispatch,
	}, channel_meta)
end

local function number_of(self)
	return assert(self.channel, "the channel is deleted")
end

--- Deletes the channel for everybody. Does not yield.
function Channel:delete()
	skynet.send(multicastd, "lua", "DEL", number_of(self))
	self.channel = nil
	self.__subscribe = nil
end

--- Publishes values. Returns when the messages of this node's subscribers are queued. Yields.
---@param ... any the values of the message
function Channel:publish(...)
	local number = number_of(self)
	skynet.call(multicastd, "lua", "PUB", number, core.pack(self.__pack(...)))
end

--- Subscribes: `dispatch(channel, source, ...)` gets what is published from now on. Once for a channel
--- and service. Yields.
function Channel:subscribe()
	local number = number_of(self)
	if not self.__subscribe then
		skynet.call(multicastd, "lua", "SUB", number)
		self.__subscribe = true
		subscribed[number] = self
	end
end

--- Ends the subscription. Does not yield.
function Channel:unsubscribe()
	if self.__subscribe then
		local number = number_of(self)
		skynet.send(multicastd, "lua", "USUB", number)
		self.__subscribe = nil
		subscribed[number] = nil
	end
end

-- The session of a multicast message is the channel's number; all subscribers share the package.
local function on_message(number, source, package, msg, sz)
	skynet.ignoreret()
	local channel = subscribed[number]
	if not channel or not channel.__subscribe then
		core.close(package) -- sent before this service unsubscribed
		return
	end
	local _ <close> = defer(core.close, package)
	channel.__dispatch(channel, source, channel.__unpack(msg, sz))
end

skynet.init(function()
	multicastd = skynet.uniqueservice "multicastd"
	skynet.register_protocol {
		name = "multicast",
		id = skynet.PTYPE_MULTICAST,
		unpack = core.unpack,
		dispatch = on_message,
	}
end)

return multicast
