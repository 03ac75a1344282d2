--- One table that a service writes and others read: sproto messages in shared memory (skynet.stm).
---
---     sharemap.register "map.sp"                        -- each node once: the types
---     local writer = sharemap.writer("foobar", { x = 1 })
---     local copy = writer:copy()                        -- goes to the readers in a message
---     writer.x = 2; writer:commit()
---
---     local reader = sharemap.reader("foobar", copy)    -- in another service
---     reader:update(); print(reader.x)

local stm = require "skynet.stm"
local sprotoloader = require "sprotoloader"

local TYPES_SLOT <const> = 0 -- of sprotoloader

---@class skynet.sharemap.Writer
---@field commit fun(self: skynet.sharemap.Writer)
---@field copy fun(self: skynet.sharemap.Writer): lightuserdata

---@class skynet.sharemap.Reader
---@field update fun(self: skynet.sharemap.Reader): boolean

---@class skynet.sharemap
local sharemap = {}

local types

local function load_types()
	types = types or sprotoloader.load(TYPES_SLOT)
	return types
end

--- Loads the types. Does not yield.
---@param filename string a file in sproto's language
function sharemap.register(filename)
	sprotoloader.register(filename, TYPES_SLOT)
end

--- Method of a writer: publishes its fields. Does not yield.
---@param writer skynet.sharemap.Writer
function sharemap.commit(writer)
	writer.__obj(types:encode(writer.__typename, writer.__data))
end

--- Method of a writer: a pointer for one reader. Does not yield.
---@param writer skynet.sharemap.Writer
---@return lightuserdata
function sharemap.copy(writer)
	return stm.copy(writer.__obj)
end

--- A table whose fields can be assigned, and published with `commit()`. Does not yield.
---@param typename string
---@param data table? first values
---@return skynet.sharemap.Writer writer with the methods `commit()` and `copy()`: a pointer for `reader`
function sharemap.writer(typename, data)
	data = data or {}
	return setmetatable({
		__typename = typename,
		__obj = stm.new(load_types():encode(typename, data)),
		__data = data,
		commit = sharemap.commit,
		copy = sharemap.copy,
	}, { __index = data, __newindex = data })
end

local function decode_into(msg, sz, self)
	local data = self.__data
	for key in pairs(data) do
		data[key] = nil
	end
	return types:decode(self.__typename, msg, sz, data)
end

--- Method of a reader: takes what has been committed. Does not yield.
---@param reader skynet.sharemap.Reader
---@return boolean changed
function sharemap.update(reader)
	return reader.__obj(decode_into, reader)
end

local function read_only(_, key)
	error("the fields of a reader cannot be assigned: " .. tostring(key), 2)
end

--- A table with the fields that the writer has committed, as of the last `update()`. Does not yield.
---@param typename string
---@param pointer lightuserdata from the writer's `copy()`, for one reader
---@return skynet.sharemap.Reader reader with the method `update()`: true when there was something new
function sharemap.reader(typename, pointer)
	load_types()
	local object = stm.newcopy(pointer)
	local _, data = object(function(msg, sz)
		return types:decode(typename, msg, sz)
	end)
	return setmetatable({
		__typename = typename,
		__obj = object,
		__data = data,
		update = sharemap.update,
	}, { __index = data, __newindex = read_only })
end

return sharemap
