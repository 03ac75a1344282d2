-- `.cslave` of a node that belongs to no network of harbors (harbor = 0): global names stay here.

local skynet = require "skynet"
require "skynet.manager"

local names = {} -- global name -> handle
local queries = {} -- global name -> responses that wait for it
local harbor_service

-- Texts go as they are.
local function register_text(name, id, handler)
	skynet.register_protocol {
		id = id,
		name = name,
		unpack = skynet.tostring,
		pack = function(text)
			return text
		end,
		dispatch = handler,
	}
end

register_text("harbor", skynet.PTYPE_HARBOR)
---------------------------------------------------------------- names that no service has

-- 1/100 s that a message to such a name waits: a service may register it later. Not so long if there is a service with the
-- local name of the same letters: most likely that one is meant.
local PATIENCE <const>, PATIENCE_WITH_TWIN <const> = 500, 100

local MOST_ASKED <const> = 1000
local REPORT_AGAIN <const> = 100 -- 1/100 s

local asked, asked_count = {}, 0 -- name -> true while it is waited for
local reported = -REPORT_AGAIN

local function report(form, ...)
	if skynet.now() - reported >= REPORT_AGAIN then
		reported = skynet.now()
		skynet.error((string.gsub(string.format(form, ...), "%c", "?"))) -- names may come from anywhere
	end
end

local function give_up(name)
	skynet.redirect(harbor_service, skynet.self(), "harbor", 0, "F " .. name)
end

local function wait_for(name)
	local twin = skynet.localname("." .. name)
	skynet.sleep(PATIENCE_WITH_TWIN)
	if names[name] then
		return
	end
	if twin then
		report(
			"A message to the name '%s', which nobody has: '.%s' is a service of this node; "
				.. "names of this node begin with a dot",
			name,
			name
		)
	else
		report(
			"A message to the name '%s', which nobody has (names of this node begin with a dot): it waits for %d s",
			name,
			PATIENCE // 100
		)
		skynet.sleep(PATIENCE - PATIENCE_WITH_TWIN)
	end
	if not names[name] then
		give_up(name)
	end
end

-- The harbor service asks: "Q name".
register_text("text", skynet.PTYPE_TEXT, function(_, _, text)
	local name = string.match(text, "^Q (.+)")
	if not name or asked[name] or names[name] then
		return
	elseif asked_count >= MOST_ASKED then
		return give_up(name)
	end
	asked[name], asked_count = true, asked_count + 1
	local ok, problem = pcall(wait_for, name)
	asked[name], asked_count = nil, asked_count - 1
	assert(ok, problem)
end)

local command = {}

function command.REGISTER(name, handle)
	assert(type(name) == "string", "a global name must be a string")
	assert(names[name] == nil, "global name is taken")
	names[name] = handle
	for _, respond in ipairs(queries[name] or {}) do
		respond(true, handle)
	end
	queries[name] = nil
	skynet.redirect(harbor_service, handle, "harbor", 0, "N " .. name)
end

function command.QUERYNAME(name)
	assert(type(name) == "string", "a global name must be a string")
	if string.sub(name, 1, 1) == "." then
		return skynet.retpack(skynet.localname(name))
	elseif names[name] then
		return skynet.retpack(names[name])
	end
	queries[name] = queries[name] or {}
	table.insert(queries[name], skynet.response())
end

function command.LINK()
	skynet.ret()
end

function command.CONNECT()
	skynet.error "Can't connect to other harbor in single node mode"
end

skynet.start(function()
	local id = tonumber(skynet.getenv "harbor" or 0)
	assert(id == 0, "cdummy is for harbor = 0")
	skynet.dispatch("lua", function(_, _, name, ...)
		local run = command[name]
		if not run then
			error("unknown command " .. tostring(name))
		end
		run(...)
	end)
	harbor_service = assert(skynet.launch("harbor", id, skynet.self()))
end)
