-- ltls.c and ltls.init.c: a client and a server in one process. What is named `additional` below exists here only.
local check = require "check"
local init = require "ltls.init.c"

local closed_before, why = pcall(require, "ltls.c")
init.constructor()
local ltls = require "ltls.c"

local certificates = debug.getinfo(1, "S").source:match "^@(.*)/modules/[^/]*$" .. "/certificates/"
local additional = ltls.newctx().set_verify ~= nil

local cases = {}

local function server_settings(name)
	local settings = ltls.newctx()
	name = certificates .. (name or "localhost")
	settings:set_cert(name .. ".pem", name .. ".key")
	return settings
end

-- Moves bytes between both until the handshake has finished; at most `chunk` bytes at once.
local function connect(client, server, chunk)
	local to_server, to_client = client:handshake() or "", ""
	local rounds = 0
	while not (client:finished() and server:finished()) do
		rounds = rounds + 1
		assert(rounds < 10000, "no end of the handshake")
		if #to_server > 0 then
			local part = to_server:sub(1, chunk or -1)
			to_server = to_server:sub(#part + 1)
			if server:finished() then
				check.equal(server:read(part), "")
			else
				to_client = to_client .. (server:handshake(part) or "")
			end
		end
		if #to_client > 0 then
			local part = to_client:sub(1, chunk or -1)
			to_client = to_client:sub(#part + 1)
			if client:finished() then
				check.equal(client:read(part), "")
			else
				to_server = to_server .. (client:handshake(part) or "")
			end
		end
		if client:finished() and #to_server == 0 then
			to_server = client:write()
		end
	end
	-- What is left, tickets for instance.
	check.equal(client:read(to_client .. server:write()), "")
	check.equal(server:read(to_server .. client:write()), "")
end

local function pair(settings, host)
	return ltls.newtls("client", ltls.newctx(), host), ltls.newtls("server", settings or server_settings())
end

function cases.an_error_has_all_of_its_text()
	if additional then
		local name = string.rep("nowhere/", 200) .. "cert.pem"
		local _, problem = pcall(ltls.newctx().set_cert, ltls.newctx(), name, name)
		assert(string.find(problem, name, 1, true), problem)
		assert(string.sub(problem, -1) == ")", problem)
	end
end

function cases.the_module_opens_when_the_node_wants_it()
	check.equal(closed_before, false)
	assert(why:find("ltls need init, Put enablessl = true in you config file.", 1, true), why)
	if not additional then
		-- Elsewhere this takes the library away from the connections that are still there.
		return
	end
	init.destructor()
	package.loaded["ltls.c"] = nil
	check.raises("ltls need init", require, "ltls.c")
	init.constructor()
	assert(require "ltls.c".newctx)
	package.loaded["ltls.c"] = ltls
end

function cases.bytes_go_both_ways()
	local client, server = pair()
	connect(client, server)
	check.equal(server:read(client:write "to the server"), "to the server")
	check.equal(client:read(server:write "to the client"), "to the client")
	check.equal(server:read(client:write(12.5)), "12.5")
	check.equal(server:write(""), "")
	check.equal(server:read(), "")
	client:close()
	server:close()
end

function cases.a_record_may_come_in_any_pieces()
	local client, server = pair()
	connect(client, server, 1)
	local encrypted = client:write "in pieces"
	local plain = ""
	for i = 1, #encrypted do
		plain = plain .. server:read(encrypted:sub(i, i))
	end
	check.equal(plain, "in pieces")
end

function cases.texts_longer_than_all_buffers_arrive()
	local client, server = pair()
	connect(client, server)
	local text = ("0123456789abcdef"):rep(1 << 17)
	check.equal(server:read(client:write(text)) == text, true)
	check.equal(client:read(server:write(text)) == text, true)
	check.equal(server:read(client:write "1" .. client:write "2" .. client:write "3"), "123")
end

function cases.every_kind_of_key_serves()
	for _, name in ipairs { "localhost", "other", "old" } do
		local client, server = pair(server_settings(name))
		connect(client, server)
		check.equal(server:read(client:write(name)), name)
	end
end

function cases.a_client_may_name_its_server()
	local client, server = pair(nil, "localhost")
	connect(client, server)
	if additional then
		check.equal(server:server_name(), "localhost")
		check.equal(client:server_name(), nil)
	end
	client, server = pair()
	check.equal(client:set_ext_host_name "localhost", 1)
	connect(client, server)
	client, server = pair(nil, "127.0.0.1")
	connect(client, server)
end

function cases.plain_bytes_wait_for_the_end_of_the_handshake()
	local client = pair()
	check.equal(client:finished(), false)
	check.raises("SSL_write error:2", client.write, client, "too early")
	check.equal(client:read(""), "")
	check.equal(client:write():byte(), 22)
end

function cases.a_handshake_ends_once()
	local client, server = pair()
	connect(client, server)
	check.raises("handshake is finished", client.handshake, client)
	check.raises("handshake is finished", server.handshake, server, "x")
end

function cases.what_is_no_tls_is_refused()
	local client, server = pair()
	check.raises("SSL_do_handshake error:1 ret:-1", server.handshake, server, "GET / HTTP/1.1\r\n\r\n")
	client:handshake()
	check.raises("SSL_do_handshake error:1 ret:-1", client.handshake, client, "220 smtp.test ready\r\n")
	client, server = pair()
	connect(client, server)
	local encrypted = client:write "a text"
	encrypted = encrypted:sub(1, -2) .. string.char(encrypted:byte(-1) ~ 1)
	check.raises("SSL_read error:1", server.read, server, encrypted)
end

function cases.a_server_needs_a_certificate()
	local client, server = pair(ltls.newctx())
	check.raises("SSL_do_handshake error:1 ret:-1", server.handshake, server, client:handshake())
end

function cases.a_peer_hears_of_a_failure()
	local client, server = pair(ltls.newctx())
	pcall(server.handshake, server, client:handshake())
	-- An alert.
	local alert = server:write()
	check.equal(alert:byte(), 21)
	check.raises("SSL_do_handshake error:1 ret:-1", client.handshake, client, alert)
end

function cases.files_that_are_no_certificates_are_refused()
	local settings = ltls.newctx()
	local file = certificates .. "localhost"
	check.raises("need certfile", settings.set_cert, settings)
	check.raises("need private key", settings.set_cert, settings, file .. ".pem")
	check.raises("SSL_CTX_use_certificate_chain_file error:0", settings.set_cert, settings, "/nowhere", file .. ".key")
	check.raises(
		"SSL_CTX_use_certificate_chain_file error:0",
		settings.set_cert,
		settings,
		file .. ".key",
		file .. ".key"
	)
	check.raises("SSL_CTX_use_PrivateKey_file error:0", settings.set_cert, settings, file .. ".pem", "/nowhere")
	check.raises("SSL_CTX_use_PrivateKey_file error:0", settings.set_cert, settings, file .. ".pem", file .. ".pem")
	check.raises(
		"SSL_CTX_check_private_key error:0",
		settings.set_cert,
		settings,
		file .. ".pem",
		certificates .. "other.key"
	)
end

function cases.wrong_arguments_are_refused()
	local settings = ltls.newctx()
	check.raises("need sslctx", ltls.newtls, "client", nil)
	check.raises("invalid method:nil e.g[server, client]", ltls.newtls, nil, settings)
	check.raises("invalid method:peer e.g[server, client]", ltls.newtls, "peer", settings)
	check.raises("bad argument #3", ltls.newtls, "client", settings, {})
	check.raises("need cipher list", settings.set_ciphers, settings)
	check.raises("need tls context", ltls.newtls("client", settings, nil).read)
end

function cases.a_closed_connection_says_so()
	local client = pair()
	client:close()
	client:close()
	for _, method in ipairs { "finished", "handshake", "read", "write", "set_ext_host_name" } do
		check.raises("context is closed", client[method], client)
	end
end

function cases.connections_are_collected()
	for _ = 1, 100 do
		pair(server_settings())
	end
	collectgarbage()
	collectgarbage()
end

if additional then
	function cases.a_client_verifies_its_server_on_request()
		local settings = ltls.newctx()
		settings:set_verify(certificates .. "ca.pem")
		local function try(host, name)
			connect(ltls.newtls("client", settings, host), ltls.newtls("server", server_settings(name)))
		end
		try("localhost")
		try("127.0.0.1")
		try("other.test", "other")
		check.raises("not valid for name", try, "localhost", "other")
		check.raises("invalid peer certificate", try, "localhost", "old")
		check.raises("verification needs the server's name", try, nil)
		settings:set_verify(false)
		try(nil, "old")
		check.raises("can't read certificates of /nowhere", settings.set_verify, settings, "/nowhere")
		check.raises("can't read certificates", settings.set_verify, settings, certificates .. "ca.key")
	end

	function cases.a_server_verifies_its_clients_on_request()
		local settings = server_settings()
		settings:set_verify(certificates .. "ca.pem")
		local function try(mine)
			local client, server = ltls.newtls("client", mine), ltls.newtls("server", settings)
			connect(client, server)
			check.equal(server:read(client:write "known"), "known")
		end
		try(server_settings())
		check.raises("peer sent no certificates", try, ltls.newctx())
		check.raises("invalid peer certificate", try, server_settings "old")
	end

	function cases.a_server_shows_the_certificate_of_the_name()
		local settings = server_settings()
		settings:set_cert(certificates .. "other.pem", certificates .. "other.key", "Other.test")
		for _, host in ipairs { "localhost", "other.test" } do
			local mine = ltls.newctx()
			mine:set_verify(certificates .. "ca.pem")
			connect(ltls.newtls("client", mine, host), ltls.newtls("server", settings))
		end
	end

	function cases.protocols_are_agreed_on()
		local settings, mine = server_settings(), ltls.newctx()
		settings:set_alpn("h2", "http/1.1")
		mine:set_alpn("http/1.1")
		local client, server = ltls.newtls("client", mine), ltls.newtls("server", settings)
		check.equal(client:alpn(), nil)
		connect(client, server)
		check.equal(client:alpn(), "http/1.1")
		check.equal(server:alpn(), "http/1.1")
		mine:set_alpn("gopher")
		client, server = ltls.newtls("client", mine), ltls.newtls("server", settings)
		check.raises("SSL_do_handshake error", connect, client, server)
		check.raises("1 to 255 bytes", mine.set_alpn, mine, "")
	end

	function cases.ciphers_are_chosen()
		for _, list in ipairs {
			"TLS_AES_256_GCM_SHA384",
			"unknown:ECDHE-ECDSA-AES128-GCM-SHA256",
			"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
		} do
			local mine = ltls.newctx()
			mine:set_ciphers(list)
			local client, server = ltls.newtls("client", mine), ltls.newtls("server", server_settings())
			connect(client, server)
			check.equal(server:read(client:write(list)), list)
		end
		local mine = ltls.newctx()
		check.raises("no usable cipher in unknown", mine.set_ciphers, mine, "unknown")
	end

	function cases.keys_on_p521_are_shown_and_verified()
		for _, suites in ipairs { "TLS_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384" } do -- TLS 1.3, 1.2
			for _, verifies in ipairs { true, false } do
				local mine = ltls.newctx()
				mine:set_ciphers(suites)
				if verifies then
					mine:set_verify(certificates .. "p521-ca.pem")
				end
				local client = ltls.newtls("client", mine, "localhost")
				local server = ltls.newtls("server", server_settings "p521")
				connect(client, server)
				check.equal(server:read(client:write(suites)), suites)
			end
			-- Of another authority.
			local mine = ltls.newctx()
			mine:set_ciphers(suites)
			mine:set_verify(certificates .. "ca.pem")
			local client, server =
				ltls.newtls("client", mine, "localhost"), ltls.newtls("server", server_settings "p521")
			check.raises("UnknownIssuer", connect, client, server)
		end
		-- Clients show one, too.
		local both = server_settings "p521"
		both:set_verify(certificates .. "p521-ca.pem")
		local client, server = ltls.newtls("client", both, "localhost"), ltls.newtls("server", both)
		connect(client, server)
		check.equal(client:read(server:write "hello"), "hello")
		local mine = ltls.newctx()
		check.raises(
			"is not the key of",
			mine.set_cert,
			mine,
			certificates .. "p521.pem",
			certificates .. "localhost.key"
		)
	end

	function cases.names_with_digits_are_sent_and_addresses_are_not()
		for name, sent in pairs {
			["1st.test"] = "1st.test",
			["3.1st.test"] = "3.1st.test",
			host1 = "host1",
			["a-1"] = "a-1",
			["0x7.test"] = "0x7.test",
			["10.0.0.1.test"] = "10.0.0.1.test",
			["xn--4ca9at.test1"] = "xn--4ca9at.test1",
			["127.0.0.1"] = "",
			["::1"] = "",
		} do
			local client, server = pair(nil, name)
			connect(client, server)
			check.equal(server:server_name() or "", sent, name)
		end
		local mine = ltls.newctx()
		mine:set_verify(certificates .. "p521-ca.pem")
		for _, name in ipairs { "1st.test", "host1", "127.0.0.1" } do
			connect(ltls.newtls("client", mine, name), (ltls.newtls("server", server_settings "p521")))
		end
	end

	function cases.nothing_follows_a_notice_of_the_end()
		local client, server = pair()
		connect(client, server)
		local last = client:write "the end" .. client:close_notify()
		check.equal(server:ended(), false)
		check.equal(server:read(last), "the end")
		check.equal(server:ended(), true)
		check.equal(server:read "anything", "")
	end

	function cases.what_precedes_a_damaged_record_is_not_lost()
		local client, server = pair()
		connect(client, server)
		local good, bad = client:write "good", client:write "bad"
		check.equal(server:read(good .. bad:sub(1, -2) .. "?"), "good")
		check.raises("SSL_read error:1", server.read, server, "")
		check.raises("SSL_read error:1", server.read, server, "x")
	end
end

check.run(cases)
