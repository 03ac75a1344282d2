--- What the answers of MongoDB say about success.

local M = {}

--- Whether a write was done.
---@param answer table
---@return boolean ok, string? problem, table answer
function M.of_write(answer)
	local failed = answer.writeErrors and answer.writeErrors[1] or answer.writeConcernError
	if answer.ok == 1 and not failed and not answer.errmsg then
		return true, nil, answer
	end
	return false, failed and failed.errmsg or answer.errmsg, answer
end

--- Raises unless a command has succeeded.
---@param answer table
---@return table answer
function M.check(answer)
	if answer.ok ~= 1 then
		error(answer.errmsg or "Reply from mongod error", 0)
	end
	return answer
end

return M
