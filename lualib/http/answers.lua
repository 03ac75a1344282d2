--- What a handler of a http.router returns, as http.server takes it: code, body, header.
---
---     return "hello\n"                  -- 200, text
---     return { name = "Bob" }           -- 200, JSON
---     return 201, { id = 7 }            -- another code
---     return 200, page, { ["content-type"] = "text/html" }
---     return 404                        -- the phrase of the code as text
---     return 204

local aborts = require "http.abort"
local phrases = require "http.phrases"
local socket = require "skynet.socket"

local M = {}

local TEXT <const>, JSON <const> = "text/plain; charset=utf-8", "application/json"

--- The value of a field whose name may be written in any way. Does not yield.
---@param header table
---@param wanted string in small letters
---@return any
function M.field(header, wanted)
	local value = header[wanted]
	if value ~= nil then
		return value
	end
	for name, other in pairs(header) do
		if type(name) == "string" and #name == #wanted and string.lower(name) == wanted then
			return other
		end
	end
end

--- Sets a field, in the place of one whose name is written in another way. Does not yield.
---@param header table
---@param wanted string in small letters
---@param value any nil: takes it away
function M.set(header, wanted, value)
	for name in pairs(header) do
		if type(name) == "string" and name ~= wanted and string.lower(name) == wanted then
			header[name] = nil
			break
		end
	end
	header[wanted] = value
end

-- Text and JSON of cjson, with the place of the mistake in the handler's answer.
local function to_json(value)
	local text, problem = require "cjson.safe".encode(value)
	if not text then
		error(string.format("the handler's answer is no JSON: %s", problem), 0)
	end
	return text
end

local function with_type(header, kind)
	if header == nil then
		return { ["content-type"] = kind }
	elseif M.field(header, "content-type") ~= nil then
		return header
	end
	local complete = {} -- it may be one that the handler uses again
	for name, value in pairs(header) do
		complete[name] = value
	end
	complete["content-type"] = kind
	return complete
end

--- Whether a value is a function, or an object that can be called. Does not yield.
---@param value any
---@return boolean
function M.is_callable(value)
	if type(value) == "function" then
		return true
	end
	local meta = getmetatable(value)
	return type(meta) == "table" and meta.__call ~= nil
end

local function has_no_body(code)
	return code < 200 or code == 204 or code == 205 or code == 304
end

--- Makes code, body and header of what was returned. Does not yield.
---@param code any
---@param body any
---@param header any
---@return integer? code nil: the handler has taken the connection over, or made a mistake that http.server tells of
---@return any body, table? header
function M.complete(code, body, header)
	local kind = type(code)
	if kind == "table" or kind == "string" or kind == "function" then
		code, body, header = 200, code, body
	elseif kind ~= "number" then
		return code, body, header
	end
	if header ~= nil and type(header) ~= "table" then
		error(string.format("the header of an answer has to be a table, not %s", type(header)), 0)
	end
	kind = type(body)
	if kind == "string" then
		if body ~= "" then
			header = with_type(header, TEXT)
		end
	elseif kind == "nil" then
		if not has_no_body(code) and code >= 400 then
			body, header = (phrases[code] or tostring(code)) .. "\n", with_type(header, TEXT)
		end
	elseif kind == "userdata" or (kind == "table" and not M.is_callable(body)) then
		body, header = to_json(body), with_type(header, JSON)
	elseif kind == "number" or kind == "boolean" then
		error(string.format("the body of an answer has to be a string, a table or a function, not %s", kind), 0)
	end
	return code, body, header
end

--- What is wrong with what a handler has returned, nil when nothing is. Does not yield.
---@param connection table of http.server: whether it was taken over
---@param code any
---@param header any
---@return string?
function M.mistake(connection, code, header)
	if code == nil then
		local is_done = connection.offered or socket.disconnected(connection.id) ~= false
		return not is_done and "the handler has returned nothing, and has not taken the connection over" or nil
	elseif not (math.type(code) == "integer" and code >= 200 and code <= 999) then
		return "the handler has to return a code of an answer (200 and more), and not " .. tostring(code)
	elseif header ~= nil and type(header) ~= "table" then
		local text = "the header of a handler's answer is a table, as { ['content-type'] = 'text/html' }, and not %s"
		return string.format(text, tostring(header))
	end
end

--- The answer that was raised. Does not yield.
---@param problem table see http.abort
---@return integer code, any body, table? header
function M.of_abort(problem)
	if not aborts.is(problem) then
		error(problem, 0)
	end
	return M.complete(problem.code, problem.body, problem.header)
end

return M
