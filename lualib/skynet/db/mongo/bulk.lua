--- The command `bulkWrite` of MongoDB 8: writes of several kinds to several collections in one go.

local bson = require "bson"
local answer = require "skynet.db.mongo.answer"

local M = {}

local encode = bson.encode

-- Appends a field unless it is nil.
local function add(list, name, value)
	if value ~= nil then
		list[#list + 1] = name
		list[#list + 1] = type(value) == "table" and encode(value) or value
	end
end

-- Fields of an operation behind its collection.
local kinds = {}

function kinds.insert(fields, operation)
	add(fields, "document", operation.insert)
end

function kinds.update(fields, operation)
	add(fields, "filter", operation.filter)
	add(fields, "updateMods", operation.update)
	add(fields, "multi", operation.multi or false)
	add(fields, "upsert", operation.upsert or false)
	add(fields, "hint", operation.hint)
	add(fields, "constants", operation.constants)
	add(fields, "collation", operation.collation)
end

function kinds.delete(fields, operation)
	add(fields, "filter", operation.filter)
	add(fields, "multi", operation.multi or false)
	add(fields, "hint", operation.hint)
	add(fields, "collation", operation.collation)
end

--- Does the operations. A method of clients. Yields.
---
---     client:bulkWrite {
---         { op = "insert", collection = "log.online", insert = { count = 0 } },
---         { op = "update", collection = "log.online", filter = {}, update = { ["$set"] = { count = 2 } } },
---         { op = "delete", collection = "game.players", filter = { name = "Bob" } },
---     }
---@param client table
---@param operations table[] collection is "database.collection"
---@param comment any? for the server's log
---@param ordered boolean? stop at the first that fails; the server's default is true
---@param bypass boolean? without the validation of documents
---@param errors_only boolean? only what failed is reported one by one
---@return boolean ok, string? problem, table answer, integer[]? failed positions of the operations that failed
function M.write(client, operations, comment, ordered, bypass, errors_only)
	local list, namespaces, numbers = {}, {}, {}
	for i, operation in ipairs(operations) do
		local name = operation.collection
		if not numbers[name] then
			numbers[name] = #namespaces -- counted from 0
			namespaces[#namespaces + 1] = encode { ns = name }
		end
		local fields = { operation.op, numbers[name] }
		local kind = kinds[operation.op] or error("bulkWrite: unknown operation " .. tostring(operation.op))
		kind(fields, operation)
		list[i] = bson.encode_order(table.unpack(fields))
	end
	local fields = { "ops", list, "nsInfo", namespaces }
	add(fields, "ordered", ordered)
	add(fields, "bypassDocumentValidation", bypass)
	add(fields, "comment", comment)
	add(fields, "errorsOnly", errors_only)
	local ok, problem, result = answer.of_write(client:runCommand("bulkWrite", 1, table.unpack(fields)))
	if not (result.nErrors and result.nErrors ~= 0 and result.cursor) then
		return ok, problem, result, nil
	end
	local failed, texts = {}, { problem }
	for i, one in ipairs(answer.batch(result)) do
		if one.ok ~= 1 then
			failed[#failed + 1] = one.idx and one.idx + 1 or i
			texts[#texts + 1] = one.errmsg
		end
	end
	return ok, table.concat(texts, ";"), result, failed
end

return M
