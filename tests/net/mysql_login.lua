-- skynet.db.mysql against a server whose accounts have caching_sha2_password (mysql_peer.py): settings mysql_port,
-- public_key and other_key (files). The C project's module does not know such accounts.
local skynet = require "skynet"
local mysql = require "skynet.db.mysql"
local tlshelper = require "http.tlshelper"
local check = require "check"

local cases = {}

local function connect(user, changes)
	local options = {
		host = "localhost",
		port = tonumber(skynet.getenv "mysql_port"),
		user = user,
		password = "secret",
		database = "game",
	}
	for name, value in pairs(changes or {}) do
		options[name] = value
	end
	return mysql.connect(options)
end

-- How the password came to the server.
local function way(user, changes)
	local db = connect(user, changes)
	local found = db:query "how?"[1].way
	db:disconnect()
	return found
end

local function content(name)
	local file <close> = assert(io.open(skynet.getenv(name)))
	return file:read "a"
end

local function verifying()
	local context = tlshelper.newctx()
	context:set_verify(skynet.getenv "authorities")
	return context
end

function cases.the_password_is_encrypted_for_the_servers_key()
	check.equal(way "new", "key")
	check.equal(way("new", { server_public_key = content "public_key" }), "pinned")
	check.equal(way("none", { password = "" }), "fast")
end

function cases.over_tls_the_password_needs_no_key()
	check.equal(way("new", { tls = true }), "tls")
	check.equal(way("new", { tls = verifying() }), "tls")
	check.equal(way("none", { tls = true, password = "" }), "fast")
end

function cases.the_server_remembers_who_was_there()
	check.equal(way "me", "key")
	check.equal(way "me", "fast")
	check.equal(way("me", { tls = true }), "fast")
	check.equal(way("me", { get_server_public_key = false }), "fast")
end

function cases.what_goes_wrong_has_a_reason()
	check.raises("Access denied: password", connect, "new", { password = "wrong" })
	check.raises("Access denied: password", connect, "new", { password = "wrong", tls = true })
	check.raises("server_public_key", connect, "new", { get_server_public_key = false })
	check.raises("no public key of RSA in PEM", connect, "new", { server_public_key = "nonsense" })
	check.raises("too long for the key", connect, "new", { password = ("x"):rep(500) })
	-- A key of somebody else: the server cannot read the password, and nobody else gets it.
	check.raises("for somebody else", connect, "new", { server_public_key = content "other_key" })
	-- A server that is not who it should be.
	check.equal(pcall(connect, "new", { tls = verifying(), host = "127.0.0.2" }), false)
end

function cases.a_new_connection_has_new_keys()
	local db = connect("new", { tls = true })
	for _ = 1, 3 do
		check.equal(db:query "how?", { { way = "tls" } })
		db.sockchannel.link:break_off()
	end
	check.together(20, function()
		check.equal(db:query "how?", { { way = "tls" } })
	end)
	db:disconnect()
end

check.run(cases)
