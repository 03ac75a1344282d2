--- A secret that all nodes of a cluster share (config key `cluster_secret`): each side of a connection proves that it knows it, and
--- neither sends it. The proofs are HMAC-SHA256 of two numbers that each side has chosen for this connection alone.
---
--- They travel as requests for a name, which every node answers: one without a secret says that it has no such name.

local skynet = require "skynet"
local crypt = require "skynet.crypt"
local sha2 = require "skynet.sha2"

local BLOCK <const> = 64 -- bytes, of SHA-256
local HELLO <const>, PROOF <const> = "cluster_secret 1 ", "cluster_secret 2 " -- patterns as well
local NONCE <const> = 16 -- bytes
local MOST_SKIPPED <const> = 1024 -- packets that nobody waits for

local M = {}

local function padded(key, byte)
	return (
		string.gsub(key .. string.rep("\0", BLOCK - #key), ".", function(sign)
			return string.char(string.byte(sign) ~ byte)
		end)
	)
end

-- RFC 2104.
local function hmac(key, text)
	key = #key > BLOCK and sha2.sha256(key) or key
	return sha2.sha256(padded(key, 0x5c) .. sha2.sha256(padded(key, 0x36) .. text))
end

M.hmac = hmac

-- Takes the same time whatever is different.
local function equal(a, b)
	local difference = #a ~ #b
	for i = 1, #b do
		difference = difference | (string.byte(a, i) or 0) ~ string.byte(b, i)
	end
	return difference == 0
end

local function nonce()
	return crypt.randomkey() .. crypt.randomkey()
end

-- Who proves it is part of what is proved: nobody can send back what he was sent.
local function proof(secret, who, first, second)
	return hmac(secret, string.format("skynet cluster %s\0", who) .. first .. second)
end

--- The secret of this node; nil: it has none. Does not yield.
---@return string?
function M.secret()
	local secret = skynet.getenv "cluster_secret"
	if secret == "" then
		error("cluster_secret in the config is empty: give a long one, or leave the key out", 0)
	end
	return secret
end

---------------------------------------------------------------- the side that connects

--- Proves that this side knows the secret, and has the other side prove it. Yields. Raises when it does not.
---@param secret string
---@param ask fun(name: string): any asks the other side for a name; raises when it has none
function M.greet(secret, ask)
	local ours = nonce()
	local known, answer = pcall(ask, HELLO .. crypt.hexencode(ours))
	if not known and not string.find(tostring(answer), "name not found", 1, true) then
		error(answer, 0) -- the connection
	end
	local theirs = known and type(answer) == "string" and string.match(answer, "^%x+$")
	if not theirs or #theirs ~= 2 * NONCE then
		error("it has no cluster_secret, and this node has one", 0)
	end
	theirs = crypt.hexdecode(theirs)
	local agreed, its_proof = pcall(ask, PROOF .. crypt.hexencode(proof(secret, "caller", ours, theirs)))
	if not agreed then
		error("it has another cluster_secret than this node, or has closed: " .. tostring(its_proof), 0)
	elseif
		type(its_proof) ~= "string" or not equal(its_proof, crypt.hexencode(proof(secret, "called", theirs, ours)))
	then
		error("it does not know the cluster_secret of this node", 0)
	end
end

---------------------------------------------------------------- the side that accepts

---@class skynet.internal.clustersecret.Guard
local Guard = {}
Guard.__index = Guard

--- A request as a guard takes it: what cluster.core has made of a packet.
---@class skynet.internal.clustersecret.Request
---@field address integer|string|boolean? of a part, false
---@field session integer
---@field msg lightuserdata?
---@field sz integer?
---@field more boolean?
---@field is_push boolean?

--- For a connection to this node. Does not yield.
---@param secret string
---@param answer fun(session: integer, ok: boolean, ...: any)
---@return skynet.internal.clustersecret.Guard
function M.guard(secret, answer)
	return setmetatable({ secret = secret, answer = answer }, Guard)
end

-- Whether nobody waits for an answer; nobody knows it of a part.
local function is_push(request)
	return request.is_push or request.address == false
end

--- For a connection that has to go whatever it asks: the first who waits for an answer is told why. Does not yield.
---@param why string
---@param answer fun(session: integer, ok: boolean, ...: any)
---@return { take: function, fault: string? }
function M.refusal(why, answer)
	local left = MOST_SKIPPED
	local refusal = {}

	function refusal:take(request)
		if request.msg then
			skynet.trash(request.msg, request.sz)
		end
		left = left - 1
		local waits = not is_push(request)
		if waits then
			answer(request.session, false, "refused: " .. why)
		end
		if waits or left == 0 then
			self.fault = why
		end
		return false
	end

	return refusal
end

-- What to answer to a name, and whether that was the proof; or nil, and why it has to go.
local function respond(self, name)
	local hello = string.match(name, "^" .. HELLO .. "(%x+)$")
	if hello and #hello == 2 * NONCE and not self.theirs then
		self.theirs, self.ours = crypt.hexdecode(hello), nonce()
		return crypt.hexencode(self.ours), false
	end
	local shown = string.match(name, "^" .. PROOF .. "(%x+)$")
	if not shown or not self.theirs then
		return nil, "the caller has shown no cluster_secret, and the called node has one"
	elseif not equal(shown, crypt.hexencode(proof(self.secret, "caller", self.theirs, self.ours))) then
		return nil, "the caller has another cluster_secret than the called node"
	end
	return crypt.hexencode(proof(self.secret, "called", self.ours, self.theirs)), true
end

--- A request that comes before the other side has proved that it knows the secret. When it is none that does so, the caller is
--- told why, and `fault` says it: the connection has to end. Does not yield.
---@param request skynet.internal.clustersecret.Request its message is freed
---@return boolean passed
function Guard:take(request)
	local name
	if request.msg then
		local ok, value = pcall(skynet.unpack, request.msg, request.sz)
		skynet.trash(request.msg, request.sz)
		name = ok and request.address == 0 and not request.more and value or nil
	end
	local text, result = respond(self, type(name) == "string" and name or "")
	if text then
		self.answer(request.session, true, skynet.packstring(text))
		return result
	end
	if not is_push(request) then
		self.answer(request.session, false, "refused: " .. result)
	end
	self.fault = result
	return false
end

return M
