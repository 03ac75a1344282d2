--- The files of a folder, for a http.router.
---
---     app:static("/assets", "./public")                                  -- GET and HEAD /assets/...
---     app:get("/docs/*path", static.new("./docs", { max_age = 3600 }))   -- the same, as a handler
---
--- It answers with content-type, `ETag` and `Last-Modified`, with 304 where the client has the file already, and with one part of
--- it where `Range` asks for one (of several parts: all of it). A folder is its index, below a slash: without one the client is
--- sent there.
---
--- Nothing outside of the folder is served: not by `..`, in whatever encoding, and by links only what they lead to inside. Names
--- that begin with a dot, pipes and devices are not there (404). The folder itself may be a link, which may be changed while the
--- service runs.
---
--- A file of up to 64 KiB is read at once, a larger one in pieces of 64 KiB as the client takes them, and other tasks run between
--- two of them. But reading, and looking a name up, waits for the disk, with the worker thread: what is in the system's cache takes
--- some 10 us. For large folders on slow disks, put nginx before it, or let a service of its own do it.
---
--- Options, all optional:
---   index       the file that a folder is shown as ("index.html"); false: none
---   max_age     seconds for which a client need not ask again; nil: it asks each time, and is answered 304
---   dotfiles    true: names that begin with a dot are served
---   types       end of a name -> content-type, beside those that are known: { glsl = "text/plain" }
---   header      more fields of the answers

local skynet = require "skynet"
local conditions = require "http.conditions"
local dates = require "http.dates"
local mediatypes = require "http.mediatypes"
local printable = require "skynet.internal.printable"
local optionlists = require "http.options"

local byte, find, sub = string.byte, string.find, string.sub

---@class http.static
local M = {}

-- A file of so many bytes is read at once; of larger ones so many at a time.
local PIECE <const> = 64 * 1024

local has_core, core = pcall(require, "skynet.http.core")
local open_file = has_core and core.open

-- Raises when nobody can know what there is, as with too many open files: an answer that there is nothing would be kept by clients.
local function open(folder, path)
	local found, size, changed = open_file(folder, path)
	if found == nil and size then
		error(string.format("http.static: cannot open %s in %s: %s", printable(path), folder, size), 0)
	end
	return found, size, changed
end

---------------------------------------------------------------- names

-- The part of a path behind the prefix of the route, decoded; nil when it is none that is served. `*path` does not begin with a slash.
local function relative(path, dotfiles)
	if find(path, "\0", 1, true) or find(path, "//", 1, true) or byte(path) == 47 then
		return nil
	end
	for part in string.gmatch(path, "[^/]+") do
		if byte(part) == 46 and (not dotfiles or part == "." or part == "..") then
			return nil
		end
	end
	return path
end

-- The value of the rest in a route, whatever its name is.
local function rest_of(request)
	local route = request.route
	local name = route and string.match(route, "%*([^/]*)$")
	if not name then
		error("http.static: the route has to end with a rest, as in '/assets/*path'", 0)
	end
	return request.params[name]
end

local function content_type(types, path)
	local ending = string.match(path, "%.([^./]+)$")
	ending = ending and string.lower(ending)
	return ending and (types[ending] or mediatypes[ending]) or "application/octet-stream"
end

---------------------------------------------------------------- bodies

-- What is called for the pieces of a part of a file, and closed at the end.
local Pieces = { __name = "http.static" }

function Pieces.__call(self)
	if self.left == 0 then
		return nil
	end
	skynet.yield() -- others run between two pieces
	local piece = self.file:read(self.from, math.min(self.left, PIECE))
	if not piece or piece == "" then
		error("http.static: the file became shorter: " .. self.name, 0)
	end
	self.from, self.left = self.from + #piece, self.left - #piece
	return piece
end

function Pieces.__close(self)
	self.file:close()
end

-- The bytes of a file from `first` on: a string, or an object that is called for pieces and closes the file.
local function body_of(file, name, first, length)
	if length <= PIECE then
		local text = file:read(first, length) or ""
		return #text == length and text or nil
	end
	return setmetatable({ file = file, from = first, left = length, name = name }, Pieces)
end

---------------------------------------------------------------- answers

local function header_of(options, path, tag, seconds)
	local header = {
		["accept-ranges"] = "bytes",
		["cache-control"] = options.max_age and string.format("max-age=%d", options.max_age) or "no-cache",
		["content-type"] = content_type(options.types or {}, path),
		["etag"] = tag,
		["last-modified"] = dates.format(seconds),
		["x-content-type-options"] = "nosniff",
	}
	for name, value in pairs(options.header or {}) do
		header[name] = value
	end
	return header
end

-- Answers with a file, or what the client needs of it.
local function send(request, options, file, path, size, changed)
	local seconds = changed // 1000000000
	local tag = string.format('"%x-%x"', changed, size)
	local header = header_of(options, path, tag, seconds)
	local code = conditions.check(request.header, tag, seconds)
	if code then
		header["content-type"] = nil
		return code, "", header
	end
	local first, last = conditions.range(request.header, size, tag, seconds)
	if first == false then
		header["content-range"] = string.format("bytes */%d", size)
		header["content-type"] = nil
		return 416, "", header
	end
	code = 200
	if first then
		code = 206
		header["content-range"] = string.format("bytes %d-%d/%d", first, last, size)
	end
	local length = first and last - first + 1 or size
	header["content-length"] = length
	if request.method == "HEAD" then
		return code, function() end, header -- the server sends the header alone
	end
	local body = body_of(file, path, first or 0, length)
	if not body then
		return 404 -- it has gone, became shorter, or may not be read
	end
	return code, body, header
end

-- A folder without a slash at the end: names in its page would be looked for beside it.
local function send_to_folder(request)
	local query = string.match(request.target, "%?.*$") or ""
	return request:redirect(request.path .. "/" .. query, 301)
end

--- Makes a handler for a route that ends with a rest, as `/assets/*path`. Raises when there is no such folder. Does not yield.
---@param folder string from the working directory of the node
---@param options table? see above
---@return fun(request: table): integer, any, table? handler
function M.new(folder, options)
	options = optionlists.check("http.static", options, { "index", "max_age", "dotfiles", "types", "header" })
	if not open_file then
		error("http.static: needs the module skynet.http.core of this project with its function open", 2)
	elseif type(folder) ~= "string" or open(folder, "") ~= "folder" then
		error(
			string.format(
				"http.static: there is no folder '%s' (from the working directory of the node)",
				tostring(folder)
			),
			2
		)
	end
	local index = options.index == nil and "index.html" or options.index
	return function(request)
		local path = relative(rest_of(request), options.dotfiles)
		if not path then
			return 404
		end
		local file, size, changed = open(folder, path)
		if file == "folder" then
			if byte(request.path, -1) ~= 47 then
				return send_to_folder(request)
			elseif not index then
				return 404
			end
			path = path .. index
			file, size, changed = open(folder, path)
		elseif byte(path, -1) == 47 then
			return 404
		end
		if not file or file == "folder" then
			return 404
		end
		local code, body, header = send(request, options, file, path, size, changed)
		if type(body) ~= "table" then
			file:close()
		end
		return code, body, header
	end
end

return M
