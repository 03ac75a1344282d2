-- The page of the metrics port, and what it asks for.
local skynet = require "skynet"
local crypt = require "skynet.crypt"
local httpc = require "http.httpc"
local browsers = require "skynet.internal.browsers"
local json = require "skynet.internal.json"
local check = require "check"

local cases = {}
local readonly, guarded -- "host:port" of one without a password, and of one with it
local PASSWORD <const> = '密码 & "quotes"'

local function start()
	local service = skynet.newservice("metrics", 0)
	return "127.0.0.1:" .. skynet.call(service, "lua", "port")
end

local function open()
	if not readonly then
		skynet.setenv("dashboard", "true")
		readonly = start()
		skynet.setenv("dashboard_password", PASSWORD)
		guarded = start()
	end
end

local function bearer(text)
	return { authorization = "Bearer " .. crypt.base64encode(text) }
end

local function get(host, target, header)
	local received = {}
	local code, body = httpc.request("GET", host, target, received, header)
	return code, body, received
end

local function look(target, header)
	local code, body = get(header and guarded or readonly, target, header)
	check.equal(code, 200)
	return json.decode(body)
end

local function run(line, header)
	local code, body = httpc.request("POST", guarded, "/api/command", nil, header or bearer(PASSWORD), line)
	return code, json.decode(body)
end

function cases.the_page_runs_its_own_script_only()
	open()
	for _, host in ipairs { readonly, guarded } do
		local code, body, header = get(host, "/")
		check.equal(code, 200)
		local policy = header["content-security-policy"]
		local nonce = string.match(policy, "script%-src 'nonce%-(%x+)'")
		assert(nonce and string.find(body, '<script nonce="' .. nonce .. '">', 1, true), policy)
		assert(string.find(policy, "default-src 'none'", 1, true), policy)
		assert(not string.find(body, "https?://[^w]"), "nothing comes from elsewhere") -- www.w3.org names a format
		assert(
			string.find(body, "密码错误", 1, true) and string.find(body, "drawFlame()", 1, true),
			"all parts are in it"
		)
		assert(not string.find(body, "\n//= ", 1, true), "all parts are in it")
		local _, _, other = get(host, "/")
		assert(other["content-security-policy"] ~= policy, "a number is used once")
	end
end

function cases.a_look_has_all_services_and_the_lines_of_the_log_since_the_last_one()
	open()
	local peer = skynet.newservice "peer"
	local first = look "/api/look?log=0"
	skynet.error 'a line with <b>marks</b>, "quotes" and 文字'
	local second = look("/api/look?sockets=1&log=" .. first.log.next)
	local names = {}
	for _, service in ipairs(second.services) do
		names[service.address] = service.name
	end
	check.equal(names[skynet.address(peer)], "snlua peer")
	assert(#second.sockets >= 2 and first.sockets == nil)
	local found
	for _, line in ipairs(second.log.lines) do
		found = found or line[4] == 'a line with <b>marks</b>, "quotes" and 文字' and line[3]
	end
	check.equal(found, skynet.address(skynet.self()))
	check.equal(second.commands, false)
	skynet.send(peer, "debug", "EXIT")
end

function cases.nodes_of_the_cluster_are_shown_before_the_first_call_and_those_that_call_this_one()
	open()
	local cluster = require "skynet.cluster"
	cluster.reload { elsewhere = "127.0.0.1:1", ended = false }
	local seen = look("/api/look").cluster
	check.equal(seen.addresses.elsewhere, "127.0.0.1:1")
	check.equal(seen.addresses.ended, false)
	check.equal(next(seen.nodes), nil)
	check.equal(next(seen.incoming), nil)
	local _, port = cluster.open(0)
	cluster.reload { own = "127.0.0.1:" .. port }
	check.equal(pcall(cluster.call, "own", "@nobody"), false) -- the connection is there
	seen = look("/api/look").cluster
	check.equal(seen.nodes.own.up, true)
	assert(string.find(select(2, next(seen.incoming)), "^127%.0%.0%.1:%d+$"))
	check.equal(seen.own, { "own" }) -- by where it listens
end

function cases.the_page_has_all_words_in_both_languages()
	open()
	local _, body = get(readonly, "/")
	local function words(language)
		local list, count = {}, 0
		for key in string.gmatch(string.match(body, "\n\t" .. language .. ": (%b{})"), '[{,] "?([%w_%%/]+)"?:"') do
			list[key], count = true, count + 1
		end
		assert(count > 100, count)
		return list
	end
	local english = words "en"
	check.equal(english, words "zh")
	for key in string.gmatch(body, '[^%w]w%("([%w_]+)"[,)]') do
		assert(english[key], key)
	end
end

function cases.the_tasks_of_a_service_are_told_with_their_stacks()
	open()
	skynet.fork(function()
		skynet.wait "a place to wait"
	end)
	skynet.yield()
	local seen = look("/api/service?address=" .. skynet.address(skynet.self()))
	local stacks = {}
	for _, stack in pairs(seen.tasks) do
		stacks[#stacks + 1] = stack
	end
	assert(string.find(table.concat(stacks), "dashboard.lua", 1, true))
	skynet.wakeup "a place to wait"
	for _, query in ipairs { "address=launcher", "address=:1&address=:2", "" } do
		local code, body = get(readonly, "/api/service?" .. query)
		check.equal(code, 400)
		assert(string.find(body, "an address is needed", 1, true))
	end
	assert(look("/api/service?address=:00ffffff").error, "there is no such service")
end

function cases.without_a_password_nothing_can_be_done()
	open()
	check.equal((httpc.request("POST", readonly, "/api/command", nil, {}, "list")), 403)
	local code, body = get(readonly, "/api/command")
	check.equal(code, 405)
	assert(string.find(body, "POST", 1, true))
end

function cases.with_a_password_nothing_is_told_without_it()
	open()
	for _, target in ipairs { "/api/look", "/api/service?address=:00000001" } do
		check.equal((get(guarded, target)), 401)
		check.equal((get(guarded, target, bearer "wrong")), 401)
		check.equal((get(guarded, target, { authorization = "Bearer ***" })), 401)
		check.equal((get(guarded, target, bearer(PASSWORD))), 200)
	end
	check.equal(look("/api/look", bearer(PASSWORD)).commands, true)
	check.equal((get(guarded, "/metrics")), 200) -- Prometheus has none
	check.equal((run("list", {})), 401)
end

function cases.with_the_password_commands_are_run_as_in_the_console()
	open()
	local peer = skynet.newservice "peer"
	local code, answer = run "list"
	check.equal(code, 200)
	assert(answer.ok and string.find(answer.text, skynet.address(peer) .. "\tsnlua peer", 1, true), answer.text)
	code, answer = run("kill " .. skynet.address(peer))
	assert(code == 200 and answer.ok, answer.text)
	code, answer = run "list"
	assert(not string.find(answer.text, "snlua peer", 1, true), answer.text)
	code, answer = run "ping :00ffffff"
	check.equal(code, 200)
	check.equal(answer.ok, false)
	check.equal((run "no-such-command"), 400)
	check.equal((run("debug " .. skynet.address(peer))), 400)
end

function cases.pages_of_other_sites_are_refused()
	open()
	local function asks(more)
		local header = bearer(PASSWORD)
		for name, value in pairs(more) do
			header[name] = value
		end
		return (get(guarded, "/api/look", header))
	end
	check.equal(asks { ["sec-fetch-site"] = "same-origin" }, 200)
	check.equal(asks { ["sec-fetch-site"] = "cross-site" }, 403)
	check.equal(asks { origin = "http://evil.example" }, 403)
	check.equal(asks { host = "evil.example:80" }, 403)
	check.equal(asks { ["user-agent"] = "Mozilla/5.0" }, 200)
end

function cases.its_page_takes_profiles_with_the_password_or_on_this_machine()
	open()
	local target = "/profile?seconds=1&format=folded&kind=alloc"
	local function page_of(host)
		return { origin = "http://" .. host, host = host, ["sec-fetch-site"] = "same-origin" }
	end
	local done
	skynet.fork(function()
		while not done do
			local _ = string.rep("x", 100000)
			skynet.sleep(1)
		end
	end)
	local code, body = get(readonly, target, page_of(readonly))
	done = true
	check.equal(code, 200, body)
	assert(string.find(body, ";%[C%] rep %d+\n"), body)
	check.equal((get(guarded, target, page_of(guarded))), 401)
	local header = page_of(guarded)
	header.authorization = bearer(PASSWORD).authorization
	check.equal((get(guarded, target, header)), 200)
	header.origin = "http://evil.example"
	check.equal((get(guarded, target, header)), 403)
end

-- A proxy speaks HTTPS to the browser and HTTP to the node, and may pass the Host on or name the node.
function cases.behind_a_proxy_its_own_page_is_known_and_no_other()
	open()
	skynet.setenv("dashboard_origin", "https://Ops.example.com, https://ops.example.com:8443")
	guarded = start()
	local function asks(origin, host, site)
		local header = bearer(PASSWORD)
		header.origin, header.host, header["sec-fetch-site"] = origin, host, site or "same-origin"
		return (httpc.request("POST", guarded, "/api/command", nil, header, "list"))
	end
	for _, host in ipairs { "ops.example.com", "ops.example.com:8443", "127.0.0.1:9100", "localhost:9100" } do
		check.equal(asks("https://ops.example.com", host), 200, host)
		check.equal(asks("https://ops.example.com:8443", host), 200, host)
		for _, foreign in ipairs {
			"https://evil.example",
			"https://ops.example.com.evil.example",
			"https://ops.example.com:444",
			"http://ops.example.com.",
			"null",
		} do
			check.equal(asks(foreign, host), 403, foreign)
		end
		check.equal(asks("https://ops.example.com", host, "cross-site"), 403)
	end
	check.equal(asks("https://ops.example.com", "evil.example"), 403)
	check.raises("is no origin", browsers.origins, "https://ops.example.com/dashboard")
end

check.run(cases)
