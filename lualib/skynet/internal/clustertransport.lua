--- What a clusteragent reads from its connection and writes to it: packets as they are, or within TLS.
---
---     local transport = clustertransport.new(fd, finish)
---     transport.feed(queue, bytes)     -- what has come already: as netpack.feed
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

local M = {}

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

	function transport.feed(queue, bytes)
		return netpack.feed(queue, fd, decrypt(bytes))
	end

	function transport.unpack(queue, msg, sz)
		local kind, _, size, data = driver.unpack(msg, sz)
		if kind ~= DATA then
			return netpack.filter(queue, msg, sz)
		end
		local bytes = skynet.tostring(data, size)
		skynet.trash(data, size)
		return transport.feed(queue, bytes)
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

	function transport.feed(queue, bytes)
		return netpack.feed(queue, fd, bytes)
	end

	function transport.unpack(queue, msg, sz)
		return netpack.filter(queue, msg, sz)
	end
end

--- For a connection to this node; the first bytes of one that is not encrypted have been looked at (clusterbeginning). May yield.
--- Raises when the files for TLS cannot be used.
---@param fd integer
---@param finish fun(fault: string) ends the connection; does not return
---@return { batch: skynet.internal.outbatch.Batch, write_large: fun(packets: string[]), feed: function, unpack: function } transport
function M.new(fd, finish)
	local transport = {}
	if clustertls.is_on() then
		secure(transport, fd, finish)
	else
		plain(transport, fd)
	end
	return transport
end

return M
