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

--- The documents of an answer that has some, and the cursor for the next ones. Raises when the command has failed, or the answer is
--- none of these.
---@param answer table
---@return table[] documents, integer id of the cursor, 0: there are no more
function M.batch(answer)
	local cursor = M.check(answer).cursor
	local documents = type(cursor) == "table" and (cursor.firstBatch or cursor.nextBatch)
	local id = documents and (cursor.id == nil and 0 or math.type(cursor.id) and math.tointeger(cursor.id))
	if type(documents) ~= "table" or not id then
		error("mongo: the answer of the server has no list of documents, or what is no number of a cursor", 0)
	end
	return documents, id
end

return M
