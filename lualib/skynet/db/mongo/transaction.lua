--- Transactions of MongoDB (replica sets only): `mongo.enable "transaction"` adds them to databases.
---
---     local problem = db:run_transaction(function()
---         assert(db.accounts:safe_update({ name = "a" }, { ["$inc"] = { money = -5 } }))
---         assert(db.accounts:safe_update({ name = "b" }, { ["$inc"] = { money = 5 } }))
---     end)

local bson = require "bson"
local answer = require "skynet.db.mongo.answer"

local M = {}

local sessions = {} -- coroutine -> { id =, number =, begun = } while it runs a transaction

-- The fields that make a command part of the transaction, behind its own.
local function add_fields(session, ...)
	local fields = table.pack(...)
	local function add(name, value)
		fields[fields.n + 1], fields[fields.n + 2] = name, value
		fields.n = fields.n + 2
	end
	add("lsid", bson.encode(session.id))
	add("txnNumber", bson.int64(session.number))
	add("autocommit", false)
	if not session.begun then
		session.begun = true
		add("startTransaction", true)
	end
	return table.unpack(fields, 1, fields.n)
end

--- Adds `run_transaction` to the class of databases. Called by `mongo.enable`.
---@param environment { mongo_db: table }
function M.init(environment)
	local Database = environment.mongo_db
	local run_plain, send_plain = Database.runCommand, Database.send_command

	function Database:runCommand(command, value, ...)
		local session = sessions[coroutine.running()]
		if session then
			return run_plain(self, command, value == nil and 1 or value, add_fields(session, ...))
		end
		return run_plain(self, command, value, ...)
	end

	-- In a transaction every command has to be answered, for the next one depends on it.
	function Database:send_command(command, value, ...)
		if sessions[coroutine.running()] then
			return self:runCommand(command, value, ...)
		end
		return send_plain(self, command, value, ...)
	end

	-- Ends the transaction of a session. Returns the problem, if there is one.
	local function finish(self, session, command)
		if not session.begun then
			return nil -- the server has not heard of it
		end
		local reached, result = pcall(self.connection.runCommand, self.connection, command)
		if not reached then
			return tostring(result)
		end
		local _, problem = answer.of_write(result)
		return problem
	end

	--- Runs a function whose commands, those of this task, are done all or not at all. Yields.
	---@param func function
	---@return string? problem nil when the transaction was committed; otherwise what func raised, or why not
	function Database:run_transaction(func)
		local me = coroutine.running()
		if sessions[me] then
			error "this task is in a transaction already"
		end
		local started = answer.check(self:runCommand "startSession")
		local session = { id = started.id, number = 1, begun = false }
		sessions[me] = session
		local ok, problem = xpcall(func, debug.traceback)
		if ok then
			problem = finish(self, session, "commitTransaction")
		else
			finish(self, session, "abortTransaction")
		end
		sessions[me] = nil
		pcall(self.runCommand, self, "endSessions", { bson.encode(started.id) })
		return problem
	end
end

return M
