--- Results of queries and prepared statements of MySQL: rows, in the text and the binary protocol.

local numbers = require "skynet.db.mysql.numbers"
local packet = require "skynet.db.mysql.packet"

local M = {}

local unpack, byte, format = string.unpack, string.byte, string.format
local read_integer, read_text = packet.integer, packet.text

local MORE_RESULTS <const> = 0x8 -- status of the server
local UNSIGNED <const> = 0x20 -- flag of a column

---------------------------------------------------------------- limits

local MAX_PACKET <const> = 64 * 1024 * 1024 -- max_allowed_packet of a server that was not told otherwise
local MAX_RESULT <const> = 1024 * 1024 * 1024
local PACKET <const>, VALUE <const> = 64, 16 -- bytes that a row, and each of its values, takes besides its own
local MAX_COLUMNS <const> = 65535

--- What is believed of a server. Does not yield.
---@param options { max_packet_size: integer?, max_result_size: integer? } of skynet.db.mysql
---@return table limits
function M.limits(options)
	return {
		packet = math.max(options.max_packet_size or 0, MAX_PACKET),
		result = options.max_result_size or MAX_RESULT,
	}
end

-- `budget` is { packet =, result =, left = }, of one answer; `values`: of the row that the packet may be.
local function read_packet(sock, budget, values)
	local payload = packet.read(sock, budget.packet, " (option max_packet_size)")
	local left = budget.left - #payload - PACKET - (values or 0) * VALUE
	if left < 0 then
		error(string.format("mysql: a result has more than %d bytes (option max_result_size)", budget.result), 0)
	end
	budget.left = left
	return payload
end

local function new_budget(limits)
	return { packet = limits.packet, result = limits.result, left = limits.result }
end

---------------------------------------------------------------- columns

-- Types of columns, as the server numbers them.
local DECIMAL <const>, TINY <const>, SHORT <const>, LONG <const>, FLOAT <const>, DOUBLE <const> = 0, 1, 2, 3, 4, 5
local TIMESTAMP <const>, LONGLONG <const>, INT24 <const>, DATE <const>, TIME <const> = 7, 8, 9, 10, 11
local DATETIME <const>, YEAR <const>, NEWDECIMAL <const> = 12, 13, 246

local function behind_text(payload, position)
	local _, behind = read_text(payload, position)
	return behind
end

local function read_column(payload)
	local column, position = {}, 1
	local flags
	for _ = 1, 4 do -- catalog, database, table and its alias
		position = behind_text(payload, position)
	end
	column.name, position = read_text(payload, position)
	if not column.name then
		packet.malformed "a column without a name"
	end
	position = behind_text(payload, position) -- its name in the table
	position = position + 1
	column.type, flags, column.decimals = unpack("<xxxxxxBI2B", payload, position)
	if flags & UNSIGNED == 0 then
		column.is_signed = true
	end
	return column
end

-- Reads descriptions of columns and what ends them: { name =, type =, decimals =, is_signed = } each. Yields.
local function read_columns(sock, count, budget)
	if not count or count < 0 or count > MAX_COLUMNS then
		error("mysql: no number of columns: " .. tostring(count), 0)
	end
	local columns = {}
	for i = 1, count do
		columns[i] = read_column(read_packet(sock, budget))
	end
	if count > 0 and not packet.is_end(read_packet(sock, budget)) then
		error("mysql: more columns than announced", 0)
	end
	return columns
end

---------------------------------------------------------------- rows as text

local numbers_of_text = {
	[TINY] = tonumber,
	[SHORT] = tonumber,
	[LONG] = tonumber,
	[FLOAT] = tonumber,
	[DOUBLE] = tonumber,
	[LONGLONG] = numbers.of_integer,
	[INT24] = tonumber,
	[YEAR] = tonumber,
	[DECIMAL] = numbers.of_decimal,
	[NEWDECIMAL] = numbers.of_decimal,
}

-- The values have to be all of a row.
local function check_end(payload, position)
	if position ~= #payload + 1 then
		packet.malformed(string.format("a row of %d bytes, whose values have %d", #payload, position - 1))
	end
end

function M.text_row(payload, columns, compact)
	local row, position = {}, 1
	for i = 1, #columns do
		local column, value = columns[i], nil
		value, position = read_text(payload, position)
		local number = value and numbers_of_text[column.type]
		if number then
			value = number(value)
		end
		row[compact and i or column.name] = value
	end
	check_end(payload, position)
	return row
end

---------------------------------------------------------------- rows as bytes

local function integer(signed, unsigned)
	return function(payload, position, column)
		return unpack(column.is_signed and signed or unsigned, payload, position)
	end
end

local function plain(pattern)
	return function(payload, position)
		return unpack(pattern, payload, position)
	end
end

-- Fractions of a second with as many digits as the column shows.
local function fraction(micro, column)
	local digits = column.decimals
	if digits == 0 or digits > 6 then
		return ""
	end
	return format(".%0" .. digits .. "d", micro // 10 ^ (6 - digits) | 0)
end

-- The bytes of a date or a time: as few as its value needs.
local function size_of(payload, position, least, middle, most)
	local size = byte(payload, position)
	if size ~= 0 and size ~= least and size ~= middle and size ~= most or position + size > #payload then
		packet.malformed(string.format("a date or time of %d bytes", size))
	end
	return size
end

local function read_date(payload, position)
	local size = size_of(payload, position, 4, 7, 11)
	local year, month, day = 0, 0, 0
	if size >= 4 then
		year, month, day = unpack("<I2BB", payload, position + 1)
	end
	return format("%04d-%02d-%02d", year, month, day), position + 1 + size
end

local function read_datetime(payload, position, column)
	local size = size_of(payload, position, 4, 7, 11)
	local hour, minute, second, micro = 0, 0, 0, 0
	if size >= 7 then
		hour, minute, second = unpack("BBB", payload, position + 5)
	end
	if size >= 11 then
		micro = unpack("<I4", payload, position + 8)
	end
	local date, after = read_date(payload, position)
	return format("%s %02d:%02d:%02d%s", date, hour, minute, second, fraction(micro, column)), after
end

local function read_time(payload, position, column)
	local size = size_of(payload, position, 8, 12)
	local negative, days, hour, minute, second, micro = 0, 0, 0, 0, 0, 0
	if size >= 8 then
		negative, days, hour, minute, second = unpack("<BI4BBB", payload, position + 1)
	end
	if size >= 12 then
		micro = unpack("<I4", payload, position + 9)
	end
	return format(
		"%s%02d:%02d:%02d%s",
		negative ~= 0 and "-" or "",
		days * 24 + hour,
		minute,
		second,
		fraction(micro, column)
	),
		position + 1 + size
end

local function read_decimal(payload, position)
	local text, after = read_text(payload, position)
	return numbers.of_decimal(text), after
end

local function read_bigint(payload, position, column)
	local value, after = unpack("<i8", payload, position)
	if value < 0 and not column.is_signed then
		value = numbers.unsigned(value)
	end
	return value, after
end

local readers = {
	[DECIMAL] = read_decimal,
	[TINY] = integer("<i1", "<I1"),
	[SHORT] = integer("<i2", "<I2"),
	[LONG] = integer("<i4", "<I4"),
	[FLOAT] = plain "<f",
	[DOUBLE] = plain "<d",
	[TIMESTAMP] = read_datetime,
	[LONGLONG] = read_bigint,
	[INT24] = integer("<i4", "<I4"),
	[DATE] = read_date,
	[TIME] = read_time,
	[DATETIME] = read_datetime,
	[YEAR] = integer("<I2", "<I2"),
	[NEWDECIMAL] = read_decimal,
}
-- NULL, VARCHAR, BIT and their newer kinds; VECTOR, BOOL, JSON; ENUM, SET, the BLOBs and strings, GEOMETRY.
for _, range in ipairs { { 6, 6 }, { 15, 20 }, { 242, 245 }, { 247, 255 } } do
	for kind = range[1], range[2] do
		readers[kind] = read_text
	end
end

function M.binary_row(payload, columns, compact)
	local count = #columns
	local row = {}
	-- Behind the first byte a bit for each column that is NULL, from the third bit on.
	local position = 2 + (count + 9) // 8
	for i = 1, count do
		local column, bit = columns[i], i + 1
		if byte(payload, 2 + bit // 8) & 1 << bit % 8 == 0 then
			local value
			local read = readers[column.type] or packet.malformed("a column of the unknown type " .. column.type)
			value, position = read(payload, position, column)
			row[compact and i or column.name] = value
		end
	end
	check_end(payload, position)
	return row
end

---------------------------------------------------------------- results

-- What is wrong with a packet may be found out by Lua: the error says so. That of a lost connection stays.
local function explain(ok, ...)
	if ok then
		return ...
	end
	local problem = ...
	if type(problem) == "string" and not string.find(problem, "^mysql: ") then
		packet.malformed(problem)
	end
	error(problem, 0)
end

-- Reads a result. Returns it and whether another one follows; or nil and the error.
local function read_result(sock, read_row, compact, budget)
	local payload = read_packet(sock, budget)
	if packet.is_error(payload) then
		return nil, packet.error(payload)
	elseif byte(payload) == 0x00 then
		local result = packet.ok(payload)
		return result, result.server_status & MORE_RESULTS ~= 0
	elseif byte(payload) == 0xfb then
		error("mysql: files of the client cannot be loaded", 0)
	end
	local columns = read_columns(sock, (read_integer(payload, 1)), budget)
	local rows, count = {}, 0
	while true do
		payload = read_packet(sock, budget, #columns)
		local first = byte(payload)
		if first == 0xfe and packet.is_end(payload) then
			return rows, packet.end_status(payload) & MORE_RESULTS ~= 0
		elseif first == 0xff then
			return nil, packet.error(payload)
		end
		count = count + 1
		rows[count] = read_row(payload, columns, compact)
	end
end

local function mark_bad(result, problem)
	result.badresult = true
	result.err, result.errno, result.sqlstate = problem.err, problem.errno, problem.sqlstate
	return result
end

--- Reads all results of a command; for `request` of a socket channel. Yields.
---@param sock table
---@param read_row function M.text_row or M.binary_row
---@param compact boolean? rows as lists
---@param limits table of `limits`
---@return true, table result a list of rows; or what packet.ok returns; several of them as a list with
--- `multiresultset`; an error as { badresult = true, err =, errno =, sqlstate = }
function M.read(sock, read_row, compact, limits)
	local budget = new_budget(limits)
	local result, more = explain(pcall(read_result, sock, read_row, compact, budget))
	if not result then
		return true, mark_bad({}, more)
	elseif not more then
		return true, result
	end
	local all = { result, multiresultset = true }
	while more do
		result, more = explain(pcall(read_result, sock, read_row, compact, budget))
		if not result then
			return true, mark_bad(all, more)
		end
		all[#all + 1] = result
	end
	return true, all
end

local function read_statement(sock, limits)
	local budget = new_budget(limits)
	local payload = read_packet(sock, budget)
	if packet.is_error(payload) then
		return true, mark_bad({}, packet.error(payload))
	end
	local statement = {}
	statement.prepare_id, statement.field_count, statement.param_count, statement.warning_count =
		unpack("<I4I2I2xI2", payload, 2)
	statement.params = read_columns(sock, statement.param_count, budget)
	statement.fields = read_columns(sock, statement.field_count, budget)
	return true, statement
end

--- Reads the answer to a statement that was to be prepared. Yields.
---@param sock table
---@param limits table of `limits`
---@return true, table statement { prepare_id, param_count, field_count, warning_count, params, fields }, or
--- an error as of `read`
function M.read_statement(sock, limits)
	return explain(pcall(read_statement, sock, limits))
end

return M
