-- TLS: the module of C between two sessions in this process, and `http.tlshelper` over a connection.
local skynet = require "skynet"
local sweep = require "sweep"
local socket = require "skynet.socket"

local function case(subject, name, func, ...)
	sweep.unlogged(subject, name, 500, func, ...)
end

local CERTIFICATES <const> = string.match(debug.getinfo(1, "S").source, "^@(.*)/differential/[^/]*/[^/]*$")
	.. "/certificates/"

local types <const> = sweep.types

-- The numbers of the library in an error say little, and differ between its releases.
local function class_of(func, ...)
	local ok, problem = pcall(func, ...)
	problem = string.gsub(sweep.normal(tostring(problem)), "%-?%d+", "N")
	return ok, ok or (string.gsub(problem, " %(.*%)$", "")) -- what this executable adds
end

local function settings(ltls)
	local context = ltls.newctx()
	context:set_cert(CERTIFICATES .. "localhost.pem", CERTIFICATES .. "localhost.key")
	return context
end

local function sessions(ltls)
	case("ltls.c.newctx", "type", function()
		return types(ltls.newctx())
	end)
	case("ltls.c context", "methods", function()
		local context = ltls.newctx()
		return types(context.set_cert, context.set_ciphers)
	end)
	case("ltls.c context.set_cert", "right", function()
		return select("#", settings(ltls))
	end)
	case("ltls.c context.set_cert", "no file", class_of, function()
		ltls.newctx():set_cert("no_such.pem", "no_such.key")
	end)
	case("ltls.c context.set_cert", "key of another", class_of, function()
		ltls.newctx():set_cert(CERTIFICATES .. "localhost.pem", CERTIFICATES .. "other.key")
	end)
	case("ltls.c context.set_cert", "nothing", class_of, function()
		ltls.newctx():set_cert()
	end)
	case("ltls.c context.set_ciphers", "right", function()
		return select("#", ltls.newctx():set_ciphers "HIGH")
	end)
	case("ltls.c context.set_ciphers", "nothing", class_of, function()
		ltls.newctx():set_ciphers()
	end)
	-- A session that cannot be made ends the C core's process when it is collected: no case for that.
	case("ltls.c.newtls", "type", function()
		return types(ltls.newtls("client", ltls.newctx(), "localhost"))
	end)
	local client = ltls.newtls("client", ltls.newctx(), "localhost")
	local server = ltls.newtls("server", settings(ltls))
	local to_client -- what the server has said last
	case("ltls.c session.finished", "before", function()
		return client:finished(), server:finished()
	end)
	case("ltls.c session.set_ext_host_name", "right", function()
		return select("#", client:set_ext_host_name "localhost")
	end)
	case("ltls.c session.set_ext_host_name", "nothing", class_of, client.set_ext_host_name, client)
	case("ltls.c session.handshake", "to the end", function()
		local to_server = client:handshake()
		local first = type(to_server)
		while not server:finished() do
			to_client = server:handshake(to_server) or ""
			if not client:finished() then
				to_server, to_client = client:handshake(to_client) or client:write(), ""
			end
		end
		return first, client:finished(), server:finished()
	end)
	case("ltls.c session.handshake", "after the end", class_of, client.handshake, client, "x")
	case("ltls.c session.write", "and read", function()
		local tickets = to_client .. server:write()
		return types(tickets),
			client:read(tickets),
			server:read(client:write "hello"),
			client:read(server:write "answer")
	end)
	case("ltls.c session.write", "empty", function()
		return types(client:write "")
	end)
	case("ltls.c session.read", "nothing there", function()
		return client:read ""
	end)
	case("ltls.c session.read", "no TLS", class_of, client.read, client, string.rep("no TLS ", 20))
	case("ltls.c session.handshake", "no TLS", class_of, function()
		ltls.newtls("server", settings(ltls)):handshake "GET / HTTP/1.1\r\n\r\n"
	end)
	case("ltls.c session.close", "right", function()
		return select("#", client:close())
	end)
	case("ltls.c session.close", "again", function()
		return select("#", client:close())
	end)
	for _, name in ipairs { "finished", "handshake", "read", "write", "set_ext_host_name" } do
		case("ltls.c session." .. name, "closed", class_of, client[name], client, "x")
	end
end

local function helper(ltls)
	local tls = require "http.tlshelper"
	case("http.tlshelper.newctx", "type", function()
		return types(tls.newctx())
	end)
	case("http.tlshelper.newtls", "type", function()
		return types(tls.newtls("client", tls.newctx(), "localhost"))
	end)
	local listener, host, port = socket.listen("127.0.0.1", 0)
	local heard = {}
	socket.start(listener, function(id)
		socket.start(id)
		local session = tls.newtls("server", settings(ltls))
		local observed = sweep.observe(tls.init_responsefunc(id, session))
		local read, write = tls.readfunc(id, session), tls.writefunc(id, session)
		heard[#heard + 1] = observed .. " " .. sweep.observe(read, 5)
		pcall(write, "answer")
		pcall(socket.close, id)
	end)
	local id = socket.open(host, port)
	local session = tls.newtls("client", tls.newctx(), "localhost")
	local read, write = tls.readfunc(id, session), tls.writefunc(id, session)
	case("http.tlshelper.init_requestfunc", "right", tls.init_requestfunc(id, session), "localhost")
	case("http.tlshelper.writefunc", "right", function()
		return types(write "hello")
	end)
	case("http.tlshelper.readfunc", "size", read, 3)
	case("http.tlshelper.readfunc", "rest", read, 3)
	case("http.tlshelper.init_responsefunc", "right", function()
		return heard[1]
	end)
	case("http.tlshelper.readallfunc", "at the end", function()
		return types(tls.readallfunc(id, session)())
	end)
	case("http.tlshelper.closefunc", "right", function()
		return select("#", tls.closefunc(session)())
	end)
	socket.close(id)
	case("http.tlshelper.init_requestfunc", "the other side leaves", function()
		local plain, _, plain_port = socket.listen("127.0.0.1", 0)
		socket.start(plain, function(other)
			socket.start(other)
			socket.close(other)
		end)
		local connection = socket.open(host, plain_port)
		return (pcall(tls.init_requestfunc(connection, tls.newtls("client", tls.newctx(), "localhost")), "localhost"))
	end)
	socket.close(listener)
end

sweep.run(function()
	local init = require "ltls.init.c"
	case("ltls.c", "before the library is there", function()
		return (pcall(require, "ltls.c"))
	end)
	case("ltls.init.c.constructor", "results", function()
		return select("#", init.constructor())
	end)
	local ltls = require "ltls.c"
	sessions(ltls)
	helper(ltls)
end)
