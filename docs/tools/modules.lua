-- What the reference has, in its order. An entry:
--
--     "skynet.socket"       the module; its functions are named after its last word: socket.open
--     name = "socket"       another word for them
--     files = {...}         files below lualib/, if it is not the one that the module's name gives
--     own = {...}           more tables with functions: local name -> how the reference writes it; false hides one
--     object = "db"         how methods of the table that the file returns are written: db:query
--     intro = "..."         instead of the comment at the top of the file
--
-- What is not named here is internal.

local function heading(text)
	return { heading = text }
end

return {
	heading "Services and messages",
	{
		"skynet",
		files = {
			"skynet", "skynet/internal/kernel", "skynet/internal/sleep", "skynet/internal/reply", "skynet/internal/select",
			"skynet/internal/deadline", "skynet/internal/tasks", "skynet/internal/trace", "skynet/internal/strays",
		},
		own = { skynet = "skynet", api = "skynet", Batch = "batch", runtime = false, M = false },
		intro = "The API of a service: `local skynet = require \"skynet\"`.",
	},
	{ "skynet.manager", own = { skynet = "skynet" } },
	{ "skynet.queue", own = { skynet = "skynet" } },
	{ "skynet.coroutine" },
	{ "skynet.service" },
	{ "skynet.require" },
	{ "skynet.mqueue" },

	heading "Snax",
	{ "skynet.snax" },
	{ "snax.hotfix" },
	{ "snax.interface" },

	heading "Sockets and gates",
	{ "skynet.socket" },
	{ "skynet.socketchannel", own = { Channel = "channel" } },
	{ "skynet.dns" },
	{ "snax.gateserver" },
	{ "snax.msgserver" },
	{ "snax.loginserver" },

	heading "HTTP and WebSockets",
	{ "http.httpc" },
	{ "http.stream", own = { M = false, Stream = "stream" } },
	{ "http.httpd" },
	{ "http.sockethelper" },
	{ "http.tlshelper" },
	{ "http.url" },
	{ "http.websocket" },

	heading "Several nodes",
	{ "skynet.cluster" },
	{ "skynet.harbor" },
	{ "skynet.datacenter" },

	heading "Sharing data",
	{ "skynet.sharetable" },
	{ "skynet.sharedata" },
	{ "skynet.sharemap" },
	{ "skynet.datasheet", files = { "skynet/datasheet/init" } },
	{ "skynet.datasheet.builder" },
	{ "skynet.multicast", own = { Channel = "channel" } },

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

	heading "Debugging",
	{ "skynet.debug" },
	{ "skynet.remotedebug" },
	{ "skynet.inject" },
	{ "skynet.injectcode" },
}
