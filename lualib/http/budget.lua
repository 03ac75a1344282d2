--- What all connections of a service may hold together: messages that are not whole yet, and answers that are not read. No
--- limit of a single connection bounds that, for there may be many. When it is too much, those go that hold most for longest
--- without getting on; those that do get on only at twice as much.
---
---     local budget = budgets.of "http"
---     local account = budget:open(id, address)
---     account:hold(1000)  -- bytes of an unfinished message, in the place of those before
---     account:wrote(5000) -- how many of them wait is looked at when it matters
---     account:close()     -- the connection has ended

local skynet = require "skynet"
local socket = require "skynet.socket"
local clients = require "http.clients"
local limits = require "http.limits"
local output = require "skynet.internal.output"
local recurring = require "skynet.internal.recurring"

local M = {}
local Budget, Account = {}, {}
Budget.__index, Account.__index = Budget, Account

local STALLED <const> = 100 -- 1/100 s in which nothing has come or gone

local budgets = {} -- kind -> budget

local check

--- The budget of this service: config keys `http_memory` and `websocket_memory`. Does not yield.
---@param kind "http"|"websocket"
---@return table budget
function M.of(kind)
	local budget = budgets[kind]
	if not budget then
		local most = limits.of(kind).memory
		-- `total` is more than there is: what was written may have been read since it was looked at.
		budget = setmetatable({ kind = kind, most = most, total = 0, look_at = most, accounts = {} }, Budget)
		budget.watch = recurring(function()
			check(budget)
			return budget.total > budget.most and STALLED or nil
		end)
		budgets[kind] = budget
	end
	return budget
end

--- An account for a connection, which holds nothing. Does not yield.
---@param id integer
---@param address string? for the log
---@return table account
function Budget:open(id, address)
	return setmetatable({
		budget = self,
		id = id,
		address = address,
		input = 0,
		output = 0,
		written = 0,
		largest = 0,
		sent = 0,
		moved = 0,
	}, Account)
end

-- Sees what waits to be read by each, and forgets who holds nothing.
local function look(budget, now)
	local total = 0
	for account in pairs(budget.accounts) do
		local waiting, sent = output(account.id)
		if sent ~= account.sent then
			account.sent, account.moved = sent, now
		end
		if waiting == 0 then
			account.written, account.largest = 0, 0
			if account.input == 0 then
				budget.accounts[account] = nil
			end
		end
		-- What was written at once stays as a whole until the last byte of it has gone.
		account.output = math.min(account.written, waiting + account.largest)
		total = total + account.output + account.input
	end
	budget.total = total
end

-- Closes those that hold most for longest without getting on, until an eighth is free.
local function relieve(budget, now)
	local list, all = {}, budget.total > 2 * budget.most
	for account in pairs(budget.accounts) do
		if all or now - account.moved >= STALLED then
			account.weight = (account.input + account.output) * (STALLED + now - account.moved)
			list[#list + 1] = account
		end
	end
	table.sort(list, function(a, b)
		return a.weight > b.weight
	end)
	for _, account in ipairs(list) do
		if budget.total <= budget.most - budget.most // 8 then
			break
		end
		local text = string.format(
			"closed: all hold more than %d bytes together (config key %s_memory), and this one %d of them for %.2f s",
			budget.most,
			budget.kind,
			account.input + account.output,
			(now - account.moved) / 100
		)
		account:close()
		clients.complain(budget.kind, account.id, account.address, text)
		socket.shutdown(account.id)
	end
end

function check(budget)
	local now = skynet.now()
	look(budget, now)
	if budget.total > budget.most then
		relieve(budget, now)
	end
	if budget.total > budget.most then -- they get on, so far
		budget.watch(STALLED)
	end
	-- A busy service whose clients read writes as much again and again.
	budget.look_at = math.max(budget.most, budget.total + budget.most // 16)
end

local function change(self, input, written)
	if self.closed then
		return
	end
	local budget = self.budget
	if not budget.accounts[self] then
		budget.accounts[self], self.moved = true, skynet.now()
	end
	self.input, self.output = input, self.output + written
	if budget.total > budget.look_at then
		check(budget)
	end
end

--- So many bytes of a message have come that is not whole. Does not yield.
---@param bytes integer
function Account:hold(bytes)
	local before = self.input
	if bytes == before or self.closed then
		return
	end
	local budget = self.budget
	budget.total = budget.total + bytes - before
	if bytes > 0 then
		change(self, bytes, 0)
		self.moved = skynet.now()
	else
		self.input = 0
		if self.output == 0 then
			budget.accounts[self] = nil
		end
	end
end

--- So many bytes were written to it. Does not yield.
---@param bytes integer
function Account:wrote(bytes)
	if not self.closed then
		self.written, self.largest = self.written + bytes, math.max(self.largest, bytes)
		self.budget.total = self.budget.total + bytes
		change(self, self.input, bytes)
	end
end

--- The connection has ended, or has to. Does not yield.
function Account:close()
	if not self.closed then
		self.closed = true
		local budget = self.budget
		budget.total = budget.total - self.input - self.output
		budget.accounts[self] = nil
	end
end

return M
