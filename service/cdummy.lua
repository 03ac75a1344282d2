-- `.cslave` of a node that belongs to no network of harbors (harbor = 0): global names stay here.

local skynet = require "skynet"
require "skynet.manager"

local names = {}   -- global name -> handle
local queries = {} -- global name -> responses that wait for it
local harbor_service

-- Texts go as they are.
local function register_text(name, id, handler)
	skynet.register_protocol {
		id = id,
		name = name,
		unpack = skynet.tostring,
		pack = function(text) return text end,
		dispatch = handler,
	}
end

register_text("harbor", skynet.PTYPE_HARBOR)
-- The harbor service asks for names that nobody has.
register_text("text", skynet.PTYPE_TEXT, function() end)

local command = {}

function command.REGISTER(name, handle)
	assert(names[name] == nil, "global name is taken")
	names[name] = handle
	for _, respond in ipairs(queries[name] or {}) do
		respond(true, handle)
	end
	queries[name] = nil
	skynet.redirect(harbor_service, handle, "harbor", 0, "N " .. name)
end

function command.QUERYNAME(name)
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
