--- What a clusteragent reads from its connection and writes to it: packets as they are, or within TLS.
---
---     local transport = clustertransport.new(fd, finish)
---     transport.unpack(queue, msg, sz) -- of a socket message: as netpack.filter
---     transport.batch:add(packet)
---     transport.write_large(packets)

local core = require "skynet.cluster.core"
local driver = require "skynet.socketdriver"
local netpack = require "skynet.netpack"
local clustertls = require "skynet.internal.clustertls"
local outbatch = require "skynet.internal.outbatch"
local skynet = require "skynet"

local DATA <const> = 1
local TELLING <const> = 3 -- bytes that tell TLS from packets; a packet with its length has as many at least

local M = {}

-- Collects the first bytes of a connection, which may come one at a time, until there are enough to tell what they begin.
local function new_beginning()
	local bytes = ""
	-- All that has come so far, once that is enough. Consumes the block.
	return function(data, size)
		bytes = bytes .. skynet.tostring(data, size)
		skynet.trash(data, size)
		return #bytes >= TELLING and bytes or nil
	end
end

--- Within TLS. May yield. Raises when the files cannot be used.
---@param transport table
---@param fd integer
---@param finish fun(fault: string) ends the connection
local function secure(transport, fd, finish)
	local session = clustertls.server()

	local function write(packets)
		driver.send(fd, session:write(packets))
	end

	transport.batch = outbatch.new(write)
	transport.write_large = write -- what is encrypted keeps its order

	local function decrypt(bytes)
		local ok, plain, output = pcall(session.feed, session, bytes)
		if not ok then
			if session.alert then
				driver.send(fd, session.alert)
			end
			finish("TLS with the caller has failed: " .. clustertls.reason(plain))
		end
		if output and output ~= "" then
			driver.send(fd, output)
		end
		return plain
	end

	local function unpack_secure(queue, msg, sz)
		local kind, _, size, data = driver.unpack(msg, sz)
		if kind ~= DATA then
			return netpack.filter(queue, msg, sz)
		end
		local bytes = skynet.tostring(data, size)
		skynet.trash(data, size)
		return netpack.feed(queue, fd, decrypt(bytes))
	end

	local take = new_beginning()

	function transport.unpack(queue, msg, sz)
		local kind, _, size, data = driver.unpack(msg, sz)
		if kind ~= DATA then
			return netpack.filter(queue, msg, sz)
		end
		local bytes = take(data, size)
		if not bytes then
			return queue
		elseif clustertls.is_hello(bytes) then
			transport.unpack = unpack_secure
			return netpack.feed(queue, fd, decrypt(bytes))
		end
		transport.plain()
		return netpack.feed(queue, fd, bytes)
	end
end

-- As they are.
local function plain(transport, fd)
	transport.batch = outbatch.new(function(packets)
		driver.send(fd, packets)
	end)

	function transport.write_large(packets)
		for _, packet in ipairs(packets) do
			driver.lsend(fd, packet)
		end
	end

	-- Blocks and their sizes in turns, which are given away; the C project's module does not make them.
	transport.write_blocks = core.largeanswer
		and function(blocks)
			for i = 1, #blocks, 2 do
				driver.lsend(fd, blocks[i], blocks[i + 1])
			end
		end

	function transport.unpack(queue, msg, sz)
		return netpack.filter(queue, msg, sz)
	end
end

-- The first bytes of a caller may be those of TLS, whose length would have it wait for ever.
local function look_at_first(transport, fd, finish)
	local unpack = transport.unpack
	local take = new_beginning()

	function transport.unpack(queue, msg, sz)
		local kind, _, size, data = driver.unpack(msg, sz)
		if kind ~= DATA then
			return unpack(queue, msg, sz)
		end
		local bytes = take(data, size)
		if not bytes then
			return queue
		end
		transport.unpack = unpack
		if clustertls.is_hello(bytes) then
			finish "the caller speaks TLS, and this node has no cluster_tls_cert"
			return queue -- it ends already
		end
		return netpack.feed(queue, fd, bytes)
	end
end

--- For a connection to this node. May yield. Raises when the files for TLS cannot be used.
---@param fd integer
---@param finish fun(fault: string) ends the connection; does not return
---@param refuse fun(why: string) has what the caller asks refused, with this reason, and the connection ended
---@return { batch: skynet.internal.outbatch.Batch, write_large: fun(packets: string[]), unpack: function } transport
function M.new(fd, finish, refuse)
	local transport = {}
	if clustertls.is_on() then
		function transport.plain()
			plain(transport, fd)
			refuse "the called node takes TLS only (cluster_tls_cert), and the caller speaks none"
		end
		secure(transport, fd, finish)
	else
		plain(transport, fd)
		if netpack.feed then -- the C project's module has none
			look_at_first(transport, fd, finish)
		end
	end
	return transport
end

return M
