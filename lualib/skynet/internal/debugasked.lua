--- Requests that the agents of stopped services have not answered yet. Part of the debug adapter (debugsession.lua).

local MOST <const> = 200

local Asked = {}
Asked.__index = Asked

--- None so far.
local function new()
	return setmetatable({ requests = {}, count = 0 }, Asked) -- seq -> { request, handle, before }
end

--- Why this request cannot be asked; nil: it can.
---@param request table
---@return string?
function Asked:problem(request)
	if self.count >= MOST then
		return string.format("%d requests are not answered yet", MOST)
	elseif self.requests[request.seq] then
		return "a request with this number is not answered yet"
	end
end

--- An agent has it.
---@param request table its arguments are not kept
---@param handle integer of the agent's service
---@param before fun(body: table)? may change what it answers
function Asked:add(request, handle, before)
	request.arguments = nil
	self.requests[request.seq] = { request = request, handle = handle, before = before }
	self.count = self.count + 1
end

--- Takes one out; nil: there is none with this number.
---@param seq integer?
---@param handle integer? nil: of any service
---@return table?
function Asked:take(seq, handle)
	local asked = self.requests[seq]
	if asked and asked.handle == (handle or asked.handle) then
		self.requests[seq], self.count = nil, self.count - 1
		return asked
	end
end

--- Takes those of a service, and calls `func(request)` for each.
---@param handle integer
---@param func fun(request: table)
function Asked:take_all(handle, func)
	for seq in pairs(self.requests) do
		local asked = self:take(seq, handle)
		if asked then
			func(asked.request)
		end
	end
end

return { new = new }
