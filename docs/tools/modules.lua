-- What the reference has, in its order. An entry:
--
--     "skynet.socket"       the module; its functions are named after its last word: socket.open
--     name = "socket"       another word for them
--     files = {...}         files below lualib/, if it is not the one that the module's name gives
--     own = {...}           more tables with functions: local name -> how the reference writes it; false hides one
--     object = "db"         how methods of the table that the file returns are written: db:query
--     intro = "..."         instead of the comment at the top of the file
--     rust = {...}          files, of a module in Rust
--
-- What is not named here is internal. What is named has annotations that editors complete from: see annotations.lua.

local function heading(text)
	return { heading = text }
end

return {
	heading "Services and messages",
	{
		"skynet",
		files = {
			"skynet",
			"skynet/internal/runtime",
			"skynet/internal/calls",
			"skynet/internal/kernel",
			"skynet/internal/environment",
			"skynet/internal/lifecycle",
			"skynet/internal/milliseconds",
			"skynet/internal/select",
			"skynet/internal/timers",
			"skynet/internal/deadline",
			"skynet/internal/limits",
			"skynet/internal/profiler",
			"skynet/internal/shutdown",
			"skynet/internal/tasks",
			"skynet/internal/trace",
			"skynet/internal/unmatched",
		},
		own = { skynet = "skynet", api = "skynet", Batch = "batch", Timer = "timer", runtime = false, M = false },
		intro = 'The API of a service: `local skynet = require "skynet"`.',
	},
	{ "skynet.manager", own = { skynet = "skynet" } },
	{ "skynet.queue", own = { skynet = "skynet" } },
	{ "skynet.coroutine" },
	{ "skynet.service" },
	{ "skynet.require" },
	{ "skynet.mqueue" },
	{ "skynet.log" },

	heading "Tests",
	{
		"skynet.test",
		own = { Fake = "fake", Client = "client", makers = false },
		files = {
			"skynet/test",
			"skynet/internal/testing/fake",
			"skynet/internal/testing/client",
		},
	},

	heading "Snax",
	{ "skynet.snax" },
	{ "snax.hotfix" },
	{ "snax.interface" },

	heading "Sockets and gates",
	{ "skynet.socket" },
	{ "skynet.socketchannel", own = { Channel = "channel" } },
	{ "skynet.dns" },
	{ "skynet.netpack", rust = { "lualib-src/skynet/src/netpack/mod.rs" } },
	{
		"client.socket",
		rust = { "lualib-src/client/src/socket.rs" },
		intro = "Sockets for programs without a node: they block.",
	},
	{ "snax.gateserver" },
	{ "snax.wsgateserver" },
	{ "snax.msgserver" },
	{ "snax.loginserver" },

	heading "HTTP and WebSockets",
	{ "http.httpc" },
	{ "http.stream", own = { M = false, Stream = "stream" } },
	{ "http.eventsource", own = { M = false, EventSource = "source" } },
	{
		"http.server",
		files = { "http/server", "http/requestobject" },
		own = { Request = "request", object = false, made = false },
	},
	{ "http.router", own = { Group = "group", Router = "router" } },
	{ "http.middleware" },
	{ "http.static" },
	{ "http.cookie" },
	{ "http.events", own = { Send = "send", Stream = false } },
	{ "http.httpd" },
	{ "http.sockethelper" },
	{ "http.tlshelper" },
	{
		"ltls.c",
		name = "tls",
		rust = { "lualib-src/ltls/src/tls.rs", "lualib-src/ltls/src/context.rs" },
		intro = "TLS below `http.tlshelper`. See also [tls.md](tls.md).",
	},
	{ "http.url" },
	{ "http.websocket" },

	heading "Several nodes",
	{ "skynet.cluster" },
	{ "skynet.cluster.names", own = { M = false, Publication = "publication" } },
	{ "skynet.cluster.discovery" },
	{ "skynet.cluster.lock", own = { Lock = "held" } },
	{ "skynet.cluster.values" },
	{ "skynet.harbor" },
	{ "skynet.datacenter" },

	heading "Sharing data",
	{ "skynet.sharetable" },
	{ "skynet.sharedata" },
	{ "skynet.sharemap" },
	{ "skynet.datasheet", files = { "skynet/datasheet/init" } },
	{ "skynet.datasheet.builder" },
	{ "skynet.multicast", own = { Channel = "channel" } },
	{ "skynet.stm", rust = { "lualib-src/skynet/src/stm/mod.rs" } },

	heading "Databases",
	{ "skynet.db.redis", own = { Connection = "db" } },
	{ "skynet.db.redis.watch", own = { Watch = "watch" } },
	{ "skynet.db.redis.cluster", own = { Cluster = "db" } },
	{ "skynet.db.mysql", object = "db" },
	{ "skynet.db.mongo" },
	{ "skynet.db.mongo.client", own = { Client = "client" } },
	{ "skynet.db.mongo.database", own = { Database = "database" } },
	{ "skynet.db.mongo.collection", own = { M = false, Collection = "collection" } },
	{ "skynet.db.mongo.cursor", own = { M = false, Cursor = "cursor", Find = "cursor" } },
	{ "skynet.db.pool", own = { Pool = "pool" } },

	heading "Messages with types, hashes",
	{ "sproto", object = "types", own = { Host = "host" } },
	{ "sprotoloader" },
	{ "sprotoparser" },
	{ "md5" },
	{
		"skynet.crypt",
		rust = { "lualib-src/crypt/src/module.rs" },
		intro = "Hashes, ciphers and key exchange. Bytes are strings. None of these functions yields; each raises for an argument that is no string.",
	},
	{
		"bson",
		rust = {
			"lualib-src/bson/src/lib.rs",
			"lualib-src/bson/src/encode.rs",
			"lualib-src/bson/src/decode.rs",
			"lualib-src/bson/src/object.rs",
			"lualib-src/bson/src/object_id.rs",
			"lualib-src/bson/src/index.rs",
		},
		intro = "MongoDB's documents. A document is a userdata, or a light userdata that points to one. Values that Lua has no type for are strings of a form of their own.",
	},
	{
		"cjson",
		rust = {
			"lualib-src/cjson/src/encode.rs",
			"lualib-src/cjson/src/decode.rs",
			"lualib-src/cjson/src/lib.rs",
			"lualib-src/cjson/src/config.rs",
		},
		intro = "JSON, with the interface of lua-cjson; see [json.md](json.md). `cjson.null` is null, `cjson.empty_array` an array of nothing, `cjson.array_mt` and `cjson.empty_array_mt` are metatables of arrays. `cjson.safe` is the same, but its `encode` and `decode` return nil and a message instead of raising. A function of a setting returns what holds; its argument, unless it is nil, changes that first, for this module only. In parentheses: what holds at first.",
	},
	{
		"lpeg",
		rust = {
			"lualib-src/lpeg/src/api/matching.rs",
			"lualib-src/lpeg/src/api/build.rs",
			"lualib-src/lpeg/src/api/capture.rs",
			"lualib-src/lpeg/src/api/locale.rs",
			"lualib-src/lpeg/src/api/mod.rs",
		},
		intro = "Pattern matching by parsing expression grammars, as LPeg 1.1; `re` is built on it.",
	},
	{ "re" },

	heading "Debugging",
	{ "skynet.debug" },
	{ "skynet.remotedebug" },
	{ "skynet.inject" },
	{ "skynet.injectcode" },
	{ "skynet.profile", rust = { "src/services/builtin/snlua/profile.rs" }, intro = "The CPU time of coroutines." },
	{ "skynet.memory", rust = { "lualib-src/skynet/src/memory.rs" } },
}
