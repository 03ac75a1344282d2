--- An answer that is raised: `request:abort(404, "there is no such user")`. A http.router makes an answer of it where it was raised,
--- so that middleware sees it; http.server does for handlers without a router.

local M = {}

local Abort = {
	__name = "http.abort",
	__tostring = function(self)
		return string.format("answer %s: %s", self.code, self.body)
	end,
}

--- Raises an answer. Does not return.
---@param code integer
---@param body (string|table)? nil: the phrase of the code
---@param header table?
function M.raise(code, body, header)
	if math.type(code) ~= "integer" or code < 200 or code > 999 then
		error("abort: a code of an answer (200 to 999) is expected, not " .. tostring(code), 3)
	end
	error(setmetatable({ code = code, body = body, header = header }, Abort), 0)
end

--- Whether what was raised is such an answer. Does not yield.
---@param problem any
---@return boolean
function M.is(problem)
	return getmetatable(problem) == Abort
end

return M
