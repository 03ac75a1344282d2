-- What is known of a cluster: nodes, named services and values, from the entries that an engine has. The engine may go away and
-- come back, as itself or as an empty one: what is known stays until the engine that knew it says that it is gone, or until its
-- time is over after another one has come.
--
--     nodes/NODE               { address =, boot = of the process, zone = }
--     names/NAME/NODE/ID       { address = "@...", boot =, handle =, tags =, load = }
--     config/KEY               any text

local skynet = require "skynet"
local json = require "skynet.internal.json"
local printable = require "skynet.internal.printable"
local ratelimit = require "skynet.internal.ratelimit"

local MAX_ENTRIES <const>, MAX_VALUE <const> = 200000, 256 * 1024

local M = {
	--- The text of an entry whose node ends it itself: there is no doubt about that.
	LEFT = '{"left":true}',
}
---@class skynet.cluster.registry.Registry
local Registry = {}
Registry.__index = Registry

local limit = ratelimit(10, 100)

local function complain(text, ...)
	local more = limit()
	if more then
		skynet.error("cluster discovery: " .. string.format(text, ...) .. more)
	end
end

--- A text as a part of a key. Does not yield.
---@param text string
---@return string
function M.escape(text)
	return (string.gsub(text, "[^%w_.-]", function(sign)
		return string.format("%%%02X", string.byte(sign))
	end))
end

local function unescape(text)
	return (string.gsub(text, "%%(%x%x)", function(digits)
		return string.char(tonumber(digits, 16))
	end))
end

--- Makes an empty one. Does not yield.
---@param on { node: function, name: function, value: function } called with what has changed: the name of a node, its
--- former record and its present one (nil: none); a name; a key and its value. They do not yield
---@return skynet.cluster.registry.Registry
function M.new(on)
	return setmetatable({
		on = on,
		raw = {}, -- key -> text
		count = 0,
		nodes = {}, -- name -> record
		names = {}, -- name -> key -> instance
		turned = {}, -- nodes that have come or gone or are other processes, which is to be told of what they publish
		names_of = {}, -- node -> name -> number of its instances there
		node_count = 0,
		doubtful = {}, -- keys that an engine does not have, which may be wrong about that -> until when they stay
		doubt_until = 0, -- what an engine ends before that is doubtful
		-- lineage: of the engine that knew all this
	}, Registry)
end

-- Names and addresses go on to consoles, logs and arguments of services: what would end a line or steer a terminal is in none.
local function is_plain(text)
	return type(text) == "string" and not string.find(text, "[%c\x7f]") and not string.find(text, "\xc2[\x80-\x9f]")
end

local function decode(key, text)
	local ok, record = pcall(json.decode, text)
	if ok and type(record) == "table" and is_plain(record.address) then
		return record
	end
	complain("the entry %s makes no sense: %s", printable(key), ok and "it has no address" or printable(record))
end

local kinds = {}

function kinds.nodes(self, rest, text)
	local name = unescape(rest)
	if not is_plain(name) or string.find(name, " ", 1, true) then
		return text
			and complain("the node %s is left out: blanks and control characters are in no name", printable(name))
	end
	local record = text and decode("nodes/" .. rest, text)
	local former = self.nodes[name]
	if record == nil and former == nil then
		return
	end
	self.nodes[name] = record
	self.node_count = self.node_count + (record and 1 or 0) - (former and 1 or 0)
	self.on.node(name, former, record)
	if not (record and former and record.boot == former.boot) then
		self:tell_names(name)
	end
end

-- What a node publishes comes or goes with it. However often that changes in a turn, it is told once.
function Registry:tell_names(node)
	if not self.names_of[node] then
		return
	elseif next(self.turned) == nil then
		skynet.fork(function()
			local turned = self.turned
			self.turned = {}
			for name in pairs(turned) do
				for service in pairs(self.names_of[name] or {}) do
					self.on.name(service)
				end
			end
		end)
	end
	self.turned[node] = true
end

local function count_name(self, node, name, by)
	local names = self.names_of[node] or {}
	local count = (names[name] or 0) + by
	names[name] = count > 0 and count or nil
	self.names_of[node] = next(names) and names
end

function kinds.names(self, rest, text, key)
	local name, node, id = string.match(rest, "^([^/]+)/([^/]+)/([^/]+)$")
	if not name then
		return text and complain("the entry names/%s makes no sense: it is not NAME/NODE/ID", printable(rest))
	end
	name, node = unescape(name), unescape(node)
	if not is_plain(name) or not is_plain(node) then
		return text and complain("the service %s is left out: control characters are in no name", printable(name))
	end
	local list = self.names[name] or {}
	local record = text and decode(key, text)
	if record then
		record.node, record.id = node, id
	end
	count_name(self, node, name, (record and 1 or 0) - (list[key] and 1 or 0))
	list[key] = record
	self.names[name] = next(list) and list
	self.on.name(name)
end

function kinds.config(self, rest, text)
	self.on.value(rest, text)
end

local function apply(self, key, text)
	local kind, rest = string.match(key, "^(%a+)/(.+)$")
	if kinds[kind] then
		kinds[kind](self, rest, text, key)
	end
end

--- An entry of the engine. Does not yield.
---@param key string
---@param text string
function Registry:put(key, text)
	if type(key) ~= "string" or type(text) ~= "string" then
		return complain("an entry that is no text is left out: %s", printable(tostring(key)))
	elseif text == M.LEFT then
		return self:remove(key)
	end
	self.doubtful[key] = nil
	local former = self.raw[key]
	if former == text then
		return
	elseif #text > MAX_VALUE or (not former and self.count >= MAX_ENTRIES) then
		return complain(
			"the entry %s of %d bytes is left out: at most %d entries of %d bytes are kept",
			printable(key),
			#text,
			MAX_ENTRIES,
			MAX_VALUE
		)
	end
	self.raw[key] = text
	self.count = self.count + (former and 0 or 1)
	apply(self, key, text)
end

--- The engine was away. One that has stood still believes that everybody else has, and ends their leases when it goes on: what
--- it ends until then stays until then. Does not yield.
---@param time integer of skynet.now
function Registry:doubt(time)
	self.doubt_until = time
end

--- The engine has ended an entry. Does not yield.
---@param key string
function Registry:delete(key)
	if self.raw[key] and skynet.now() < self.doubt_until and not string.find(key, "^config/") then
		self.doubtful[key] = self.doubtful[key] or self.doubt_until
	else
		self:remove(key)
	end
end

--- An entry has ended. Does not yield.
---@param key string
function Registry:remove(key)
	self.doubtful[key] = nil
	if self.raw[key] then
		self.raw[key] = nil
		self.count = self.count - 1
		apply(self, key, nil)
	end
end

--- All entries of the engine at one moment. Does not yield.
---@param entries table<string, string>
---@param lineage string names the engine's data: what is missing in that which knew it has ended
---@param doubt integer until when (skynet.now) what another one does not have stays
---@return integer missing entries that stay in doubt
function Registry:snapshot(entries, lineage, doubt)
	local is_same = self.lineage == nil or self.lineage == lineage
	self.lineage = lineage
	for key, text in pairs(entries) do
		self:put(key, text)
	end
	local missing, ended = 0, {}
	for key in pairs(self.raw) do
		if not entries[key] then
			local is_value = string.find(key, "^config/")
			if is_same and (is_value or skynet.now() >= self.doubt_until) and not self.doubtful[key] then
				ended[#ended + 1] = key
			else
				self.doubtful[key] = self.doubtful[key] or doubt
				missing = missing + 1
			end
		end
	end
	for _, key in ipairs(ended) do
		self:remove(key)
	end
	return missing
end

--- Ends what was in doubt for long enough; values are nobody's who could set them again, and stay. Does not yield.
---@param now integer
function Registry:settle(now)
	local ended = {}
	for key, time in pairs(self.doubtful) do
		if time <= now and not string.find(key, "^config/") then
			ended[#ended + 1] = key
		end
	end
	for _, key in ipairs(ended) do
		self:remove(key)
	end
end

--- The services of a name that can be called: those of nodes that are there, as the same process. Does not yield.
---@param name string
---@return table[] instances in an order that is the same everywhere
function Registry:instances(name)
	local list = {}
	for key, record in pairs(self.names[name] or {}) do
		local node = self.nodes[record.node]
		if node and node.boot == record.boot then
			list[#list + 1] = {
				name = name,
				node = record.node,
				address = record.address,
				handle = record.handle,
				tags = record.tags,
				load = record.load,
				zone = node.zone,
				key = key,
			}
		end
	end
	table.sort(list, function(a, b)
		return a.key < b.key
	end)
	return list
end

--- The text of a value. Does not yield.
---@param key string
---@return string?
function Registry:value(key)
	return self.raw["config/" .. key]
end

return M
