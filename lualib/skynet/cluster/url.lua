--- The value of the config key `cluster_discovery`, taken apart: which engine, where, and what of it this cluster has.
---
---     etcd://user:password@10.0.0.1:2379,10.0.0.2:2379/prefix      etcds://... with TLS
---     redis://:password@10.0.0.1:6379/0/prefix
---     dns://game.default.svc:2528      dns://_cluster._tcp.game.default.svc?period=5&server=10.0.0.10:53
---     file://./nodes

local nodeaddress = require "skynet.internal.nodeaddress"

local M = {}

local PORTS <const> = { etcd = 2379, etcds = 2379, redis = 6379 }
local KINDS <const> = { file = "file", etcd = "etcd", etcds = "etcd", redis = "redis", dns = "dns" }
local FORMS <const> = {
	etcd = "etcd://HOST:PORT[,HOST:PORT...]/PREFIX",
	redis = "redis://HOST:PORT/DB/PREFIX",
	dns = "dns://NAME:PORT or dns://_SERVICE._PROTOCOL.NAME",
	file = "file://PATH",
}

local function decoded(text)
	return (string.gsub(text, "%%(%x%x)", function(digits)
		return string.char(tonumber(digits, 16))
	end))
end

--- The text without its password, for logs and errors. Does not yield.
---@param text string
---@return string
function M.shown(text)
	return (string.gsub(text, "^(%a+://)[^/]*@", "%1"))
end

local function refuse(text, why)
	local kind = KINDS[string.match(text, "^(%a+):") or ""]
	local forms = kind and FORMS[kind] or "etcd://..., redis://..., dns://..., or file"
	error(string.format("cluster_discovery = %q: %s; it has to be %s", M.shown(text), why, forms), 0)
end

local function read_query(query)
	local options = {}
	for name, value in string.gmatch(query or "", "([^&=]+)=([^&]*)") do
		options[name] = decoded(value)
	end
	return options
end

local function read_endpoints(text, authority, default)
	local list = {}
	for item in string.gmatch(authority, "[^,]+") do
		local host, port = nodeaddress(item)
		if not port and string.find(item, "^%[.*%]$") then
			host = string.sub(item, 2, -2)
		elseif not port and string.find(item, ":", 1, true) then
			refuse(text, string.format("%q is no host with a port", item))
		end
		list[#list + 1] = { host = host, port = port or default }
	end
	if #list == 0 then
		refuse(text, "no host")
	end
	return list
end

local function read_dns(text, authority, options)
	local name, port = string.match(authority, "^([^:]+):?(%d*)$")
	local is_service = name and string.sub(name, 1, 1) == "_"
	port = math.tointeger(tonumber(port))
	if not name or (not port and not is_service) then
		refuse(text, "no name with a port")
	end
	return { kind = "dns", name = name, port = port, is_service = is_service, options = options }
end

-- "0/prefix" of Redis: the number of the database, and what this cluster has there.
local function read_redis_path(path)
	local db, prefix = string.match(path, "^(%d+)/?(.*)$")
	return math.tointeger(tonumber(db)), prefix or path
end

--- Takes a value apart. Raises for one that makes no sense. Does not yield.
---@param text string
---@return table description { kind =, shown = without the password, ... of the kind }
function M.parse(text)
	if text == "file" then
		return { kind = "file", shown = text }
	end
	local scheme, rest = string.match(text, "^(%a+)://(.+)$")
	local kind = KINDS[scheme or ""]
	if not kind then
		refuse(text, "there is no such kind of discovery")
	elseif kind == "file" then
		return { kind = "file", shown = text, path = rest }
	end
	local body, query = string.match(rest, "^([^?]*)%??(.*)$")
	local authority, path = string.match(body, "^([^/]*)/?(.-)/*$")
	local user, password
	local account, hosts = string.match(authority, "^(.*)@(.-)$")
	if account then
		user, password = string.match(account, "^([^:]*):?(.*)$")
		user, password, authority = decoded(user), decoded(password), hosts
	end
	local description
	if kind == "dns" then
		description = read_dns(text, authority, read_query(query))
	else
		description = {
			kind = kind,
			endpoints = read_endpoints(text, authority, PORTS[scheme]),
			tls = scheme == "etcds",
			user = user ~= "" and user or nil,
			password = password,
			prefix = path,
		}
		if kind == "redis" then
			description.db, description.prefix = read_redis_path(path)
		end
		if description.prefix == "" then
			description.prefix = "skynet"
		end
	end
	description.shown = M.shown(text)
	return description
end

return M
