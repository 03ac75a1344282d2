-- The message server: users who have logged in connect here, and send requests.
local skynet = require "skynet"
local msgserver = require "snax.msgserver"

local login_server = tonumber((...))
local server_name
local coins = {} -- user -> coins; stays when the user goes
local sessions = {} -- user -> { username: the name of this session, subid }
local last_subid = 0

local function end_session(user, subid)
	local session = sessions[user]
	if session and session.subid == subid then
		sessions[user] = nil
		msgserver.logout(session.username)
		skynet.call(login_server, "lua", "left", user)
	end
end

---------------------------------------------------------------- requests of clients

local requests = {}

function requests.coins(user)
	return tostring(coins[user] or 0)
end

function requests.earn(user, number)
	coins[user] = (coins[user] or 0) + math.tointeger(tonumber(number))
	return requests.coins(user)
end

----------------------------------------------------------------

msgserver.start {
	-- The gate has begun to listen.
	register_handler = function(name)
		server_name = name
		skynet.call(login_server, "lua", "register", name, skynet.self())
	end,

	-- The login server sends a user.
	login_handler = function(user, secret)
		assert(not sessions[user], "is here already")
		last_subid = last_subid + 1
		local username = msgserver.username(user, last_subid, server_name)
		msgserver.login(username, secret)
		sessions[user] = { username = username, subid = last_subid }
		return last_subid
	end,

	-- The login server wants it to go, because it logs in anew.
	kick_handler = end_session,
	logout_handler = end_session,

	-- A request: what it returns is the answer, an error is an answer too.
	request_handler = function(username, content)
		local user = msgserver.userid(username)
		local what, argument = string.match(content, "^(%l+) ?(.*)$")
		return requests[what](user, argument)
	end,

	-- The connection is gone; the session is not: the user may connect again.
	disconnect_handler = function(username)
		print("game:", msgserver.userid(username), "is disconnected")
	end,
}
