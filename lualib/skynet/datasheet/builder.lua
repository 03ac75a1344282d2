--- Builds the data of skynet.datasheet. One service of the node builds all of it, and keeps it alive.

local skynet = require "skynet"
local service = require "skynet.service"
local dump = require "skynet.datasheet.dump"
local core = require "skynet.datasheet.core"

---@class skynet.datasheet.builder
local builder = {}

local owner
local present = {} -- name -> document of its present version
local pointers = {} -- document -> pointer to it, as long as a service reads it

-- Documents are told apart by their bytes: a number after the end makes each one unique.
local count = 0
local function make_unique(document)
	count = count + 1
	return document .. count
end

local function compile(value)
	return type(value) == "string" and value or dump.dump(value)
end

-- Keeps the document, which the pointer leads into, until no service reads it.
local function keep(document, pointer)
	pointers[document] = pointer
	skynet.fork(function()
		skynet.call(owner, "lua", "collect", pointer)
		pointers[document] = nil
	end)
end

local function publish(name, document)
	document = make_unique(document)
	local pointer = core.stringpointer(document)
	skynet.call(owner, "lua", "update", name, pointer)
	present[name] = document
	keep(document, pointer)
end

--- Adds data. Yields.
---@param name string raises when it exists
---@param value table|string a table, or what `compile` made of one
function builder.new(name, value)
	assert(present[name] == nil, "the datasheet exists")
	publish(name, compile(value))
end

--- Replaces data; tables that stay at their place keep their identity for the readers. Yields.
---@param name string raises when it does not exist
---@param value table|string
function builder.update(name, value)
	local before = assert(present[name], "no such datasheet")
	publish(name, dump.diff(before, compile(value)))
	skynet.send(owner, "lua", "release", (assert(pointers[before])))
end

--- Compiles a table, for a file that is read later. Does not yield.
---@param value table of tables, strings, numbers and booleans; see skynet.datasheet.dump
---@return string
function builder.compile(value)
	return dump.dump(value)
end

-- The service that knows who reads what; it stands in this file's place in another service.
local function own_sheets()
	require "skynet.datasheet.owner"()
end

skynet.init(function()
	owner = service.new("datasheet", own_sheets)
end)

return builder
