--- Socket channels of a clustersender to its node: what they begin with, and how they are read and written.

local skynet = require "skynet"
local driver = require "skynet.socketdriver"
local socketchannel = require "skynet.socketchannel"
local clusteranswers = require "skynet.internal.clusteranswers"
local clustersecret = require "skynet.internal.clustersecret"
local defer = require "skynet.internal.defer"
local clustertls = require "skynet.internal.clustertls"
local tlscaller = require "skynet.internal.clustertlscaller"
local outbatch = require "skynet.internal.outbatch"

local M = {}

-- Before anything is asked. Yields. Raises when one of the sides does not accept the other.
local function authenticate(channel, place)
	local function ask_it(name)
		return place.ask(channel, name)
	end
	local secret = clustersecret.secret()
	if channel.tls then
		channel.tls:shake_hands(channel.link, place.node)
		if not secret then
			tlscaller.confirm(ask_it)
		end
	end
	if secret then
		clustersecret.greet(secret, ask_it)
	end
end

--- A channel for a node; connects later. Does not yield.
---@param place { host: string, port: integer?, node: string, limits: table, ask: function, lost: function } limits: of answers; ask:
--- asks a channel for a name; lost(channel, problem): its connection has ended
---@return table channel
function M.new(place)
	local answers = clusteranswers.new(place.limits)
	local tls = clustertls.is_on() and tlscaller.new() or nil
	local channel
	-- One answer -> session, ok, data, more to come.
	local function read_response(sock)
		local all_well, session, ok, data, more = pcall(answers.read, answers, sock)
		if not all_well then
			local link = channel.link
			if not link or link[1] == sock[1] then -- or else the channel has another connection already
				place.lost(channel, type(session) == "string" and session or "closed")
			end
			error(session, 0)
		end
		return session, ok, data, more
	end
	local ok, made = pcall(socketchannel.channel, {
		host = place.host,
		port = place.port or 0, -- who connects says what is wrong with the address
		response = read_response,
		auth = (tls or clustersecret.secret()) and function(self)
			authenticate(self, place)
		end,
		quiet = true, -- there are better lines here
		nodelay = true,
		socket_read = tls and tls.read,
		socket_write = tls and tls.write,
	})
	if not ok then
		local file = package.searchpath("skynet.socketchannel", package.path) or "skynet/socketchannel.lua"
		error(
			string.format(
				"%s is of another Lua layer than clustersender.lua, which cannot work with it: %s",
				file,
				made
			)
		)
	end
	channel = made
	channel.answers, channel.flying, channel.tls = answers, 0, tls
	return channel
end

--- How requests are written to the open connection: its fields `batch` and `write_large`. Does not yield.
---@param channel table
---@param fd integer
function M.open_output(channel, fd)
	local tls, link = channel.tls, channel.link
	if tls then
		local function write(packets)
			tls.write(link, packets)
		end
		channel.batch = outbatch.new(write)
		function channel.write_large(packet, parts)
			table.insert(parts, 1, packet)
			write(parts) -- what is encrypted keeps its order
		end
		return
	end
	channel.batch = outbatch.new(function(packets)
		driver.send(fd, packets)
	end)
	-- In the low priority queue others' small requests may pass between the parts.
	function channel.write_large(packet, parts)
		driver.lsend(fd, packet)
		for _, part in ipairs(parts) do
			driver.lsend(fd, part)
		end
	end
end

--- A channel that is left: what is under way on it has so much time, then it is closed. Yields.
---@param channel table
---@param time integer 1/100 s
function M.linger(channel, time)
	local limit = skynet.now() + time
	local _ <close> = defer(channel.close, channel)
	while channel.link and channel.flying > 0 and skynet.now() < limit do
		skynet.sleep(limit - skynet.now(), channel)
	end
end

--- Why connecting has failed. Does not yield.
---@param problem any that was raised
---@return string
function M.reason_of(problem)
	return type(problem) == "table" and problem.reason or tostring(problem)
end

return M
