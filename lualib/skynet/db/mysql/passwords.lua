--- How a client proves to a MySQL server that it knows the password, by the server's kind of account.

local crypt = require "skynet.crypt"

local M = {}

local FAST_OK <const>, FULL <const> = "\3", "\4"

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
		-- The server remembers the hashes of users that have logged in before.
		continue = function(_, _, data)
			if data == FAST_OK then
				return nil
			elseif data == FULL then
				error("caching_sha2_password: the server has not seen this user since it started, and wants the password"
					.. " over TLS, which this client does not have; log in once with another client,"
					.. " or use an account with mysql_native_password", 0)
			end
			error("caching_sha2_password: unexpected answer of the server", 0)
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
---@return string. Raises for kinds that this client does not have
function M.proof(kind, password, salt)
	local known = kinds[kind] or error("authentication plugin not supported: " .. kind, 0)
	return password == "" and "" or known.proof(password, salt)
end

--- The answer to more data from the server. Does not yield.
---@param data string
---@return string? answer nil: none, another packet follows. Raises when the server wants what cannot be done
function M.continue(kind, password, salt, data)
	local continue = kinds[kind].continue or error("unexpected data of the server while logging in", 0)
	return continue(password, salt, data)
end

return M
