--- How a client proves to a MySQL server that it knows the password, by the server's kind of account.

local crypt = require "skynet.crypt"

local M = {}

local FAST_OK <const>, FULL <const>, ASK_FOR_KEY <const> = "\3", "\4", "\2"
local KEY_BEGINS <const> = "-----BEGIN "

-- The password for the owner of the key alone, and for this log-in alone.
local function encrypted(login, key)
	local text = login.password .. "\0"
	local salt = string.sub(string.rep(login.salt, #text // #login.salt + 1), 1, #text)
	return require "skynet.rsa".encrypt_oaep(key, crypt.xor_str(text, salt))
end

local kinds = {
	mysql_native_password = {
		proof = function(password, salt)
			local hash = crypt.sha1(password)
			return crypt.xor_str(hash, crypt.sha1(salt .. crypt.sha1(hash)))
		end,
	},
	caching_sha2_password = {
		proof = function(password, salt)
			local sha2 = require "skynet.sha2" -- few need it
			local hash = sha2.sha256(password)
			return crypt.xor_str(hash, sha2.sha256(sha2.sha256(hash) .. salt))
		end,
		-- The server remembers the hashes of users that have logged in before; of others it wants the password.
		continue = function(login, data)
			if data == FAST_OK then
				return nil
			elseif string.sub(data, 1, #KEY_BEGINS) == KEY_BEGINS and login.asked_for_key then
				return encrypted(login, data)
			elseif data ~= FULL then
				error("caching_sha2_password: unexpected answer of the server", 0)
			elseif login.secure then
				return login.password .. "\0"
			elseif login.server_public_key then
				return encrypted(login, login.server_public_key)
			elseif login.get_server_public_key == false then
				error(
					"caching_sha2_password: the server has not seen this user since it started, and wants the password:"
						.. " connect with tls, or give server_public_key",
					0
				)
			end
			login.asked_for_key = true
			return ASK_FOR_KEY
		end,
	},
}

--- Whether this client has a kind of proof.
---@param kind string?
function M.is_known(kind)
	return kinds[kind] ~= nil
end

--- The proof of a password. Does not yield.
---@param kind string
---@param password string
---@param salt string 20 bytes of the server
---@return string proof. Raises for kinds that this client does not have
function M.proof(kind, password, salt)
	local known = kinds[kind] or error("authentication plugin not supported: " .. kind, 0)
	return password == "" and "" or known.proof(password, salt)
end

--- The answer to more data from the server. Does not yield.
---@param kind string
---@param login table { password =, salt =, secure = over TLS, server_public_key =, get_server_public_key = }
---@param data string
---@return string? answer nil: none, another packet follows. Raises when the server wants what cannot be done
function M.continue(kind, login, data)
	local continue = kinds[kind].continue or error("unexpected data of the server while logging in", 0)
	return continue(login, data)
end

return M
