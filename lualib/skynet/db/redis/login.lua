--- What a connection to Redis begins with: AUTH and SELECT.

local resp = require "skynet.db.redis.resp"

--- The function for a socket channel's `auth`; nil when there is nothing to do.
---@param config { auth: string?, username: string?, db: integer? }
---@return fun(channel: table)?
return function(config)
	local auth, db = config.auth, config.db
	if not auth and not db then
		return nil
	end
	return function(channel)
		if auth then
			channel:request(
				resp.command("AUTH", { config.username or auth, config.username and auth }),
				resp.read_reply
			)
		end
		if db then
			channel:request(resp.command("SELECT", { db }), resp.read_reply)
		end
	end
end
