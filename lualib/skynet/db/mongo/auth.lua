--- How a client proves to a MongoDB server that it knows a password: SCRAM (RFC 5802, RFC 7677), and what
--- servers before 3.0 had.

local bson = require "bson"
local crypt = require "skynet.crypt"

local MECHANISM_UNAVAILABLE <const> = 334
-- Servers ask for 10,000 or 15,000. A million takes a second or so, in which the worker does nothing else.
local LEAST_ITERATIONS <const>, MOST_ITERATIONS <const> = 4096, 1000000

---------------------------------------------------------------- SCRAM

local function md5_of_password(user, password)
	local md5 = require "md5"
	return md5.sumhexa(string.format("%s:mongo:%s", user, password))
end

-- PBKDF2 with HMAC-SHA-1, for trees whose C modules lack skynet.sha2.
local function derive_slowly(password, salt, iterations)
	local round = crypt.hmac_sha1(password, salt .. "\0\0\0\1")
	local key = round
	for _ = 2, iterations do
		round = crypt.hmac_sha1(password, round)
		key = crypt.xor_str(key, round)
	end
	return key
end

local function sha2()
	return require "skynet.sha2"
end

local hashes = {
	["SCRAM-SHA-1"] = {
		password = md5_of_password,
		hash = crypt.sha1,
		hmac = crypt.hmac_sha1,
		derive = function(password, salt, iterations)
			local found, module = pcall(sha2)
			return (found and module.pbkdf2_sha1 or derive_slowly)(password, salt, iterations)
		end,
	},
	["SCRAM-SHA-256"] = {
		password = function(_, password)
			return tostring(password)
		end,
		hash = function(text)
			return sha2().sha256(text)
		end,
		hmac = function(key, text)
			return sha2().hmac_sha256(key, text)
		end,
		derive = function(...)
			return sha2().pbkdf2_sha256(...)
		end,
	},
}

-- Deriving the key is slow on purpose; it is the same at the next log-in.
local derived = setmetatable({}, { __mode = "v" }) -- name of all that it depends on -> { key }
local latest -- keeps the last one

local function salted_password(mechanism, password, salt, iterations)
	local name = table.concat({ mechanism, iterations, salt, password }, "\0")
	latest = derived[name] or { hashes[mechanism].derive(password, salt, iterations) }
	derived[name] = latest
	return latest[1]
end

local function fields_of(text)
	local fields = {}
	for name, value in string.gmatch(text, "(%w)=([^,]*)") do
		fields[name] = value
	end
	return fields
end

local function escape_name(name)
	return (string.gsub(name, "[=,]", { ["="] = "=3D", [","] = "=2C" }))
end

-- What a server has sent: binary, or base64 as a string, as it has got it.
local function text_of(payload)
	local kind, bytes = bson.type(payload)
	if kind == "binary" then
		return bytes
	end
	local ok, text = pcall(crypt.base64decode, type(payload) == "string" and payload or "")
	return ok and text or ""
end

-- What a server says of a failure, or that it says nothing.
local function reason_of(answer)
	local text = answer.errmsg
	return type(text) == "string" and text or "the server does not say why"
end

local function scram(mechanism)
	local kind = hashes[mechanism]
	return function(db, user, password)
		user = tostring(user)
		local nonce = crypt.base64encode(crypt.randomkey() .. crypt.randomkey() .. crypt.randomkey())
		local first = "n=" .. escape_name(user) .. ",r=" .. nonce
		local answer = db:runCommand(
			"saslStart",
			1,
			"autoAuthorize",
			1,
			"mechanism",
			mechanism,
			"payload",
			bson.binary("n,," .. first)
		)
		if answer.ok ~= 1 then
			return false, reason_of(answer), answer.code
		end
		local challenge = text_of(answer.payload)
		local fields = fields_of(challenge)
		local iterations = math.tointeger(tonumber(fields.i))
		local has_salt, salt = pcall(crypt.base64decode, fields.s or "")
		if not fields.r or #fields.r <= #nonce or string.sub(fields.r, 1, #nonce) ~= nonce then
			return false, "Server returned an invalid nonce."
		elseif not has_salt or salt == "" then
			return false, "Server returned no salt."
		elseif not iterations or iterations < LEAST_ITERATIONS then
			return false, "Server returned too few iterations."
		elseif iterations > MOST_ITERATIONS then
			return false, "Server returned too many iterations."
		end
		local salted = salted_password(mechanism, kind.password(user, password), salt, iterations)
		local final = "c=biws,r=" .. fields.r
		local message = first .. "," .. challenge .. "," .. final
		local client_key = kind.hmac(salted, "Client Key")
		local proof = crypt.xor_str(client_key, kind.hmac(kind.hash(client_key), message))
		answer = db:runCommand(
			"saslContinue",
			1,
			"conversationId",
			answer.conversationId,
			"payload",
			bson.binary(final .. ",p=" .. crypt.base64encode(proof))
		)
		if answer.ok ~= 1 then
			return false, reason_of(answer), answer.code
		end
		local signature = kind.hmac(kind.hmac(salted, "Server Key"), message)
		if fields_of(text_of(answer.payload)).v ~= crypt.base64encode(signature) then
			return false, "Server returned an invalid signature."
		end
		if not answer.done then
			answer =
				db:runCommand("saslContinue", 1, "conversationId", answer.conversationId, "payload", bson.binary "")
			if answer.ok ~= 1 or not answer.done then
				return false, answer.errmsg and reason_of(answer) or "SASL conversation failed to complete."
			end
		end
		return true
	end
end

---------------------------------------------------------------- before 3.0

local function challenge_response(db, user, password)
	local md5 = require "md5"
	local answer = db:runCommand "getnonce"
	if answer.ok ~= 1 or type(answer.nonce) ~= "string" then
		return false, reason_of(answer)
	end
	local key = md5.sumhexa(answer.nonce .. user .. md5_of_password(user, password))
	answer = db:runCommand("authenticate", 1, "user", user, "nonce", answer.nonce, "key", key)
	return answer.ok == 1, answer.ok ~= 1 and reason_of(answer) or nil
end

local methods = {
	scram_sha1 = scram "SCRAM-SHA-1",
	scram_sha256 = scram "SCRAM-SHA-256",
	mongodb_cr = challenge_response,
}

--- Logs in. Yields.
---@param db table database that has the user
---@param user string
---@param password string
---@param method string|nil|false "scram_sha1", "scram_sha256" or "mongodb_cr"; default: the first one, or
--- the second one for users that have only that
---@return boolean ok, string? problem
return function(db, user, password, method)
	local log_in = methods[method or "scram_sha1"] or error("Invalid authmod", 0)
	local ok, problem, code = log_in(db, user, password)
	if not ok and not method and code == MECHANISM_UNAVAILABLE then
		ok, problem = methods.scram_sha256(db, user, password)
	end
	return ok, problem
end
