-- A gate of WebSockets for ws_gates.lua: tells its owner what happens, and passes messages on to it.
local skynet = require "skynet"
local gateserver = require "snax.wsgateserver"

local owner, behind, asked = nil, false, 0
local handler, command = {}, {}

skynet.register_protocol {
	name = "client",
	id = skynet.PTYPE_CLIENT,
}

local function tell(...)
	skynet.send(owner, "lua", ...)
end

function handler.open(source, conf)
	owner = source
	return conf.address, conf.port
end

function handler.connect(fd, address, header, url)
	tell("connect", fd, address, header["x-name"], url)
	if url == "/fails" then
		error "as the test wants it"
	elseif url ~= "/waits" then
		gateserver.openclient(fd)
	end
end

function handler.message(fd, msg, sz, kind)
	tell("kind", fd, kind)
	skynet.redirect(owner, 0, "client", fd, msg, sz)
end

function handler.disconnect(fd)
	tell("disconnect", fd)
end

function handler.error(fd, text)
	tell("error", fd, text)
end

function handler.is_behind()
	asked = asked + 1
	return behind
end

function command.openclient(fd)
	gateserver.openclient(fd)
end

function command.closeclient(fd, code)
	gateserver.closeclient(fd, code)
end

function command.send(fd, data, kind)
	return gateserver.send(fd, data, kind)
end

function command.behind(value)
	behind = value
	return asked
end

function handler.command(name, _, ...)
	return command[name](...)
end

gateserver.start(handler)
