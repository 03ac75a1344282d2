--- Reads what a node of the cluster answers, on one connection.
---
---     local answers = clusteranswers.new(limits)
---     local session, ok, data, more = answers:read(sock)

local core = require "skynet.cluster.core"
local skynet = require "skynet"
local unfinished = require "skynet.internal.unfinished"

local unpack, sub, now = string.unpack, string.sub, skynet.now
local unpack_answer = core.unpackresponse
local read_at = core.readresponse -- of the bytes at a place; the C project's module has none

local assembly = read_at and core.assembly

local M = {}
---@class skynet.internal.clusteranswers.Answers
local Answers = {}
Answers.__index = Answers

-- The place of the next packet, and its end. Answers often come together.
local function next_packet(self, sock)
	while true do
		local input, position = self.input, self.position
		local rest = #input - position + 1
		if rest >= 2 then
			local size = unpack(">I2", input, position)
			if rest >= size + 2 then
				local from = position + 2
				self.position = from + size
				return input, from, from + size - 1
			end
		end
		local more = sock:read()
		self.heard, self.came = now(), true
		self.input, self.position = rest > 0 and sub(input, position) .. more or more, 1
	end
end

local function read_packet(self, sock)
	local input, from, to = next_packet(self, sock)
	if read_at then
		return read_at(input, from, to, self.assemblies)
	end
	return unpack_answer(sub(input, from, to))
end

-- A packet of an answer in parts; false: one to pass over. A node that begins answers and does not end them, or sends more
-- than it has announced, would fill the memory: the call fails, and what else comes for it is not kept.
local function check_parts(self, session, ok, data, more, size)
	local refused, large = self.refused, self.large
	if refused[session] then
		if not more then
			refused[session] = nil
			self.refused_count = self.refused_count - 1
		end
		return false
	end
	local problem
	if ok and math.type(data) then
		problem = large:begin(session, data)
	elseif ok then
		problem = large:add(session, size or #data, more)
	end
	local assemblies = self.assemblies
	if problem or not ok then
		large:forget(session)
		assemblies[session] = nil
	end
	if not problem then
		if ok and math.type(data) and assembly then
			assemblies[session] = assembly(data)
			return false
		elseif size and more then
			return false
		elseif size then
			data = assemblies[session]
			assemblies[session] = nil
		end
		return session, ok, data, more
	end
	if more then
		refused[session] = true
		self.refused_count = self.refused_count + 1
		if self.refused_count > large.most then
			error(string.format("%d answers were refused, and none of them ends", self.refused_count), 0)
		end
	end
	return session, false, string.format("%s: its answer %s", self.limits.whose, problem)
end

--- The next answer, or part of one. Yields. Raises when the connection has ended, or sends what is none.
---@param sock table of a socket channel
---@return integer session, boolean ok, string|userdata|integer data, boolean? more data: a userdata is for `core.finish`, an integer the
--- size of an answer of which the parts follow
function Answers:read(sock)
	if sock ~= self.link then -- another connection of the channel
		self.link, self.input, self.position = sock, "", 1
		self.large = unfinished.new(self.limits.most, self.limits.most_bytes)
		self.announced, self.refused, self.refused_count = self.large.announced, {}, 0
		self.assemblies = {} -- session -> an answer in the making
	end
	while true do
		local session, ok, data, more, size = read_packet(self, sock)
		if not session then
			error("it sends what is no answer", 0)
		elseif not more and not self.announced[session] and not self.refused[session] then
			return session, ok, data -- most of them
		end
		session, ok, data, more = check_parts(self, session, ok, data, more, size)
		if session then
			return session, ok, data, more
		end
	end
end

--- For a channel. Does not yield.
---@param limits { most: integer, most_bytes: integer, whose: string } unfinished answers, bytes of them together; the node, for texts
---@return skynet.internal.clusteranswers.Answers answers `heard`: when the node has sent something; `came`: whether it has, on
--- this connection
function M.new(limits)
	return setmetatable({ limits = limits, heard = 0, came = false }, Answers)
end

return M
