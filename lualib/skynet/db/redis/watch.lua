--- Subscriptions to channels of Redis: `redis.watch`. They are renewed when the connection was lost.

local socketchannel = require "skynet.socketchannel"
local login = require "skynet.db.redis.login"
local resp = require "skynet.db.redis.resp"

---@class skynet.db.redis.watch.Watch
local Watch = {}
Watch.__index = Watch

-- Reply -> { list of subscriptions, whether it begins one }
local confirmations = {
	subscribe = { "channels", true },
	psubscribe = { "patterns", true },
	unsubscribe = { "channels", false },
	punsubscribe = { "patterns", false },
}

local function send_each(name)
	local confirmation = confirmations[string.lower(name)]
	return function(self, ...)
		for i = 1, select("#", ...) do
			if confirmation[2] then
				self.asked[confirmation[1]][tostring((select(i, ...)))] = true
			end
			self.link:request(resp.command(name, { (select(i, ...)) }))
		end
	end
end

--- subscribe(...), unsubscribe(...): names of channels. They yield only to connect.
---@type fun(self: skynet.db.redis.watch.Watch, ...: string)
Watch.subscribe = send_each "SUBSCRIBE"
Watch.unsubscribe = send_each "UNSUBSCRIBE"
--- psubscribe(...), punsubscribe(...): patterns of names.
---@type fun(self: skynet.db.redis.watch.Watch, ...: string)
Watch.psubscribe = send_each "PSUBSCRIBE"
Watch.punsubscribe = send_each "PUNSUBSCRIBE"

--- Waits for the next message. Yields.
---@return string data, string channel, string? pattern that the channel matches. Raises when the
--- connection is lost; the next call connects again
function Watch:message()
	while true do
		local reply = self.link:response(self.read_reply)
		if type(reply) ~= "table" then
			error(string.format("invalid reply of redis: a subscription brings lists, not %q", tostring(reply)), 0)
		end
		local kind = reply[1]
		if kind == "message" then
			return reply[3], reply[2]
		elseif kind == "pmessage" then
			return reply[4], reply[3], reply[2]
		end
		local confirmation, name = confirmations[kind], reply[2]
		if confirmation and name then
			local list = confirmation[1]
			local asked = self.asked[list]
			if not confirmation[2] then
				self[list][name] = nil
			elseif asked[name] then -- others would be subscribed to again for ever
				asked[name], self[list][name] = nil, true
			end
		end
	end
end

--- Closes the connection; the object cannot be used any more. Yields.
function Watch:disconnect()
	self.link:close()
	setmetatable(self, nil)
end

--- Connects. Yields. Raises when it fails.
---@param config table as for `redis.connect`
---@return skynet.db.redis.watch.Watch watch
return function(config)
	local self = {
		channels = {},
		patterns = {},
		asked = { channels = {}, patterns = {} },
		read_reply = resp.reader(config.max_reply),
	}
	local log_in = login(config)
	self.link = socketchannel.channel {
		host = config.host,
		port = config.port or 6379,
		nodelay = true,
		connect_timeout = config.connect_timeout,
		auth = function(channel)
			if log_in then
				log_in(channel)
			end
			for pattern in pairs(self.patterns) do
				channel:request(resp.command("PSUBSCRIBE", { pattern }))
			end
			for name in pairs(self.channels) do
				channel:request(resp.command("SUBSCRIBE", { name }))
			end
		end,
	}
	self.link:connect(true)
	return setmetatable(self, Watch)
end
