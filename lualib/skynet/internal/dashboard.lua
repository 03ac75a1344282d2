--- The page of the node on the metrics port, and what it asks for: what the core's counters say (`/api/look`), the tasks of one
--- service (`/api/service`), and, if there is a password, commands of the debug console (`/api/command`). Asks nothing of services
--- but that, so it costs little, and shows those that are stuck.
---
--- Config keys: `dashboard = true` turns it on, for reading. `dashboard_password` turns it on, too: everything but the empty page
--- then needs the password, and commands are run. Who may ask: skynet.internal.access.

local skynet = require "skynet"
local core = require "skynet.core"
local crypt = require "skynet.crypt"
local urllib = require "http.url"
local access = require "skynet.internal.access"
local json = require "skynet.internal.json"
local listing = require "skynet.internal.listing"
local run_command = require "skynet.internal.console"
local snapshot = require "skynet.internal.snapshot"

local PATIENCE <const> = 200 -- 1/100 s for the tasks of a service

local M = {}

--- Whether the config wants it. Raises when what it says of it is wrong.
---@return boolean
function M.is_wanted()
	access.read_config()
	local on = skynet.getenv "dashboard"
	return access.has_password() or on == "true" or on == "1"
end

--- The most bytes of a request's body.
M.BODY_LIMIT = 8192

---------------------------------------------------------------- the page

local page -- its text

-- A file beside this one: on the module path, or inside of the executable.
local function read_file(name)
	local base, extension = string.match(name, "^(.*)(%.%l+)$")
	local path = package.searchpath("skynet.internal." .. base, (string.gsub(package.path, "%.lua", extension)))
	if path then
		local file = assert(io.open(path, "rb"))
		local text = file:read "a"
		file:close()
		return text
	end
	name = "lualib/skynet/internal/" .. name
	return require "skynet.embedded".find(name) or error("no file " .. name, 0)
end

-- A line "//= NAME" of its script stands for a file.
local function read_page()
	return (string.gsub(read_file "dashboard.html", "//= (%S+)\n", read_file))
end

-- Nothing is fetched from elsewhere, and no script runs but the page's own: whatever a log line or a name may contain.
local function send_page()
	page = page or read_page()
	local nonce = crypt.hexencode(crypt.randomkey() .. crypt.randomkey())
	local policy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'; img-src data:; "
		.. string.format("script-src 'nonce-%s'; style-src 'unsafe-inline'", nonce)
	return 200,
		(string.gsub(page, "<script>", string.format('<script nonce="%s">', nonce))),
		{
			["content-type"] = "text/html; charset=utf-8",
			["content-security-policy"] = policy,
			["x-content-type-options"] = "nosniff",
			["referrer-policy"] = "no-referrer",
			["cache-control"] = "no-store",
		}
end

---------------------------------------------------------------- what it asks for

local function answer(code, text)
	return code,
		text,
		{
			["content-type"] = "application/json",
			["x-content-type-options"] = "nosniff",
			["cache-control"] = "no-store",
		}
end

local function refuse(code, problem)
	return answer(code, json.encode { error = problem })
end

local apis = {}

-- ?log=N: the lines of the log from that number on. &sockets: all sockets.
apis["/api/look"] = function(_, query)
	local text = snapshot("cluster", query.sockets and "sockets" or nil)
	local log = core.command("LOGLINES", string.format("%d", math.tointeger(tonumber(query.log)) or 0))
	return answer(
		200,
		string.format(
			'%s,"log":%s,"start_time":%s,"workers_count":%s,"commands":%s}',
			string.sub(text, 1, -2),
			log,
			skynet.starttime(),
			math.tointeger(tonumber(skynet.getenv "thread")) or 0,
			access.has_password()
		)
	)
end

-- ?address=:0000000a: the tasks of that service, and where they wait.
apis["/api/service"] = function(_, query)
	local address = query.address -- a list, if it comes several times
	if type(address) ~= "string" or not string.find(address, "^:%x+$") then
		return refuse(400, "an address is needed, such as :0000000a")
	end
	local handle = tonumber(string.sub(address, 2), 16)
	local ok, tasks = pcall(skynet.call_timeout, PATIENCE, handle, "debug", "TASK")
	if not ok then
		local late = string.find(tostring(tasks), "call timeout", 1, true)
		return refuse(200, late and "no answer: it is busy, or is not one in Lua" or tostring(tasks))
	end
	local list = {}
	for name, stack in pairs(type(tasks) == "table" and tasks or {}) do
		list[tostring(name)] = tostring(stack)
	end
	return answer(200, json.encode { tasks = list })
end

-- As the debug console runs it.
local function run(line)
	local connection = { is_request = true, closed = true }
	function connection:wake()
		skynet.wakeup(self)
	end
	function connection:wait()
		skynet.wait(self)
	end
	function connection.poll_line() end
	return run_command(connection, line)
end

apis["/api/command"] = function(request)
	if request.method ~= "POST" then
		return refuse(405, "a command comes by POST")
	elseif not access.has_password() then
		return refuse(403, "there is no dashboard_password, so this page only reads")
	elseif string.find(request.body, "^%s*debug%f[%s\0]") then
		return refuse(400, "the debugger needs the debug console")
	end
	skynet.error(string.format("dashboard: %s runs %q", request.address, request.body))
	local ok, result = run(request.body)
	if ok == nil then
		return refuse(400, "there is no such command: help lists them")
	end
	local text = type(result) == "table" and table.concat(listing(result), "\n") or result and tostring(result) or ""
	return answer(200, json.encode { ok = ok, text = text })
end

--- Answers a request for one of the pages here. Yields.
---@param request { method: string, target: string, header: table, body: string, address: string }
---@return integer? code nil: it is not for here
---@return string? body
---@return table? header
function M.answer(request)
	local path, query = urllib.parse(request.target)
	if path == "/" then
		return send_page()
	end
	local api = apis[path]
	if not api then
		return
	end
	local code, problem = access.refusal(request)
	if code then
		return refuse(code, problem)
	end
	local ok, fields = pcall(urllib.parse_query, query or "")
	return api(request, ok and fields or {})
end

return M
