--- Reads what a node of the cluster answers: for the one connection of a service clustersender.

local core = require "skynet.cluster.core"
local skynet = require "skynet"
local unfinished = require "skynet.internal.unfinished"

local unpack, sub, now = string.unpack, string.sub, skynet.now

local M = {
	heard = 0, -- when the node has sent something
	came = false, -- whether it has sent something on this connection
	whose = "", -- the node, for texts
	most = 64, -- unfinished answers
	most_bytes = 1024 * 1024 * 1024, -- of them together
}

-- What the connection has sent and no task has used yet: of `input`, from `position` on. Answers often come together.
local link, input, position

local large -- answers in parts
local announced -- session -> bytes of one
local refused = {} -- session -> true: its call has failed, the rest of its answer is passed over
local refused_count = 0

local function read_packet(sock)
	if sock ~= link then
		link, input, position = sock, "", 1
		large = unfinished.new(M.most, M.most_bytes)
		announced, refused, refused_count = large.announced, {}, 0
	end
	while true do
		local rest = #input - position + 1
		if rest >= 2 then
			local size = unpack(">I2", input, position)
			if rest >= size + 2 then
				local from = position + 2
				position = from + size
				return sub(input, from, position - 1)
			end
		end
		local more = sock:read()
		M.heard, M.came = now(), true
		input, position = rest > 0 and sub(input, position) .. more or more, 1
	end
end

-- A packet of an answer in parts; false: one to pass over. A node that begins answers and does not end them, or sends more
-- than he has announced, would fill our memory: the call fails, and what else comes for it is not kept.
local function check_parts(session, ok, data, more)
	if refused[session] then
		if not more then
			refused[session] = nil
			refused_count = refused_count - 1
		end
		return false
	end
	local problem
	if ok and math.type(data) then
		problem = large:begin(session, data)
	elseif ok then
		problem = large:add(session, #data, more)
	end
	if problem or not ok then
		large:forget(session)
	end
	if not problem then
		return session, ok, data, more
	end
	if more then
		refused[session] = true
		refused_count = refused_count + 1
		if refused_count > M.most then
			error(string.format("%d answers were refused, and none of them ends", refused_count), 0)
		end
	end
	return session, false, string.format("%s: its answer %s", M.whose, problem)
end

--- The next answer, or part of one. Yields. Raises when the connection has ended, or sends what is none.
---@param sock table of a socket channel
---@return integer session, boolean ok, string|integer data, boolean? more more parts follow
function M.read(sock)
	while true do
		local session, ok, data, more = core.unpackresponse(read_packet(sock))
		if not session then
			error("it sends what is no answer", 0)
		elseif not more and not announced[session] and not refused[session] then
			return session, ok, data -- most of them
		end
		session, ok, data, more = check_parts(session, ok, data, more)
		if session then
			return session, ok, data, more
		end
	end
end

return M
