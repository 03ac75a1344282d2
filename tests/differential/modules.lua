-- All modules of the Lua layer and of C that both sides have.
return {
	"skynet", "skynet.manager", "skynet.queue", "skynet.coroutine", "skynet.service", "skynet.require", "skynet.debug",
	"skynet.cluster", "skynet.datacenter", "skynet.harbor", "skynet.multicast", "skynet.sharedata",
	"skynet.sharedata.corelib", "skynet.sharemap", "skynet.sharetable", "skynet.datasheet.builder", "skynet.datasheet",
	"skynet.datasheet.dump", "skynet.snax", "skynet.socket", "skynet.socketchannel", "skynet.dns", "skynet.inject",
	"skynet.injectcode", "skynet.remotedebug",
	"skynet.db.mongo", "skynet.db.mongo.transaction", "skynet.db.mysql", "skynet.db.redis", "skynet.db.redis.cluster",
	"skynet.db.redis.crc16",
	"http.httpc", "http.httpd", "http.internal", "http.sockethelper", "http.tlshelper", "http.url", "http.websocket",
	"snax.gateserver", "snax.hotfix", "snax.interface", "snax.loginserver", "snax.msgserver",
	"md5", "sproto", "sprotoloader", "sprotoparser",
	"skynet.core", "skynet.codecache", "skynet.profile", "skynet.cluster.core", "skynet.crypt", "skynet.datasheet.core",
	"skynet.debugchannel", "skynet.memory", "skynet.mongo.driver", "skynet.multicast.core", "skynet.netpack",
	"skynet.sharedata.core", "skynet.sharetable.core", "skynet.socketdriver", "skynet.stm", "bson", "lpeg", "md5.core",
	"sproto.core", "client.crypt", "client.socket",
	"ltls.c", "ltls.init.c",
	-- Last: it takes a protocol for itself.
	"skynet.mqueue",
}
