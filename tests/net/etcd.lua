-- skynet.cluster.etcd.client by TLS, as a user with a password: settings etcd_port, authority.
local skynet = require "skynet"
local answers = require "skynet.cluster.etcd.answer"
local client = require "skynet.cluster.etcd.client"
local url = require "skynet.cluster.url"
local check = require "check"

local cases = {}

local port = math.tointeger(tonumber(skynet.getenv "etcd_port"))
local authority = skynet.getenv "authority"

local function connect(account, files)
	local address = string.format("etcds://%slocalhost:%d/x", account, port)
	return client.new(url.parse(address), files or { ca = authority })
end

local function key(text)
	return { key = client.bytes(text) }
end

function cases.certificates_are_verified()
	local etcd = connect("", {}) -- those that the system trusts do not know ours
	check.raises("UnknownIssuer", etcd.need, etcd, "/v3/kv/range", key "a")
	assert(connect(""):need("/v3/kv/range", key "a").header.revision)
end

function cases.what_etcd_refuses_is_told()
	local etcd = connect ""
	local answer, fault = etcd:ask("/v3/lease/revoke", { ID = 12345 })
	check.equal({ answer, fault.code }, { nil, client.NOT_FOUND })
	check.raises("etcd refuses /v3/lease/revoke", etcd.need, etcd, "/v3/lease/revoke", { ID = 12345 })
end

-- The last case in the order of names: etcd wants passwords from here on.
function cases.users_log_in()
	local etcd = connect ""
	etcd:need("/v3/auth/user/add", { name = "root", password = "secret" })
	etcd:need("/v3/auth/role/add", { name = "root" })
	etcd:need("/v3/auth/user/grant", { user = "root", role = "root" })
	etcd:need("/v3/auth/enable", {})
	check.raises("user name is empty", etcd.need, etcd, "/v3/kv/range", key "a")
	local stranger = connect "root:wrong@"
	local ok, problem = pcall(stranger.need, stranger, "/v3/kv/range", key "a")
	check.equal(ok, false)
	assert(string.find(problem, "user root cannot log in", 1, true), problem)
	assert(not string.find(problem, "wrong", 1, true), problem)
	local user = connect "root:secret@"
	user:need("/v3/kv/put", { key = client.bytes "a", value = client.bytes "1" })
	user.token = "old.1"
	check.equal(answers.bytes(user:need("/v3/kv/range", key "a"), "kvs", 1, "value"), "1", "it logs in again")
	local watch <close> = user:watch { key = client.bytes "a" }
	check.equal(watch:next().created, true)
	user:need("/v3/kv/put", { key = client.bytes "a", value = client.bytes "2" })
	check.equal(answers.bytes(watch:next(), "events", 1, "kv", "value"), "2")
end

check.run(cases)
