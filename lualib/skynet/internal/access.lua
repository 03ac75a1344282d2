--- Who may look at the node on the metrics port, and who may do there what changes the node or costs it something.
---
--- Config keys: `dashboard_password`: who has it may do all, "Authorization: Bearer <base64 of it>", and nobody else anything.
--- `dashboard_guesses`: wrong ones of one address that are looked at in a second (5; 0: all). `dashboard_host`: further names of this
--- machine that a browser may know it by. `dashboard_origin`: where the page of the dashboard comes from behind a proxy,
--- "https://ops.example.com".

local skynet = require "skynet"
local crypt = require "skynet.crypt"
local browsers = require "skynet.internal.browsers"
local setting = require "skynet.internal.setting"

local GUESSES <const> = 5 -- wrong passwords of one address in a second

local password = skynet.getenv "dashboard_password"
local own_names = browsers.names(skynet.getenv "dashboard_host")
local origins = {} -- of the page behind a proxy
local guesses = require "skynet.internal.guesses".new(setting("dashboard_guesses", GUESSES) or 0)

local M = {}

local is_read = false

--- Reads what the config says, once. Raises when it is wrong.
function M.read_config()
	if is_read then
		return
	end
	assert(password ~= "", "dashboard_password is empty: nobody could give it")
	local ok, known, names = pcall(browsers.origins, skynet.getenv "dashboard_origin")
	if not ok then
		error("dashboard_origin: " .. known, 0)
	end
	origins = known
	for name in pairs(names) do
		own_names[name] = true
	end
	is_read = true
end

---@return boolean
function M.has_password()
	return password ~= nil
end

--- Why a request that only reads is not answered. Yields.
---@param request { header: table, address: string }
---@return integer? code nil: it is
---@return string? problem
function M.refusal(request)
	-- A browser says less about requests to machines that are not this one; the rest holds for those, too.
	local foreign = browsers.refusal({
		host = request.header.host,
		origin = request.header.origin,
		["sec-fetch-site"] = request.header["sec-fetch-site"],
	}, own_names, origins)
	if foreign then
		return 403,
			foreign .. " (dashboard_host has further names of this machine, dashboard_origin that of a proxy before it)"
	elseif not password then
		return
	end
	local field = request.header.authorization
	local given = type(field) == "string" and string.match(field, "^[Bb]earer ([%w+/=]+)$")
	if not given then
		return 401, "a password is needed"
	end
	local host = string.match(request.address, "^(.*):%d+$") or request.address
	if not guesses.wait(host) then
		return 429, "too many passwords from that address, try again later"
	end
	local ok, text = pcall(crypt.base64decode, given)
	if not (ok and guesses.same(text, password)) then
		return 401, "the password is wrong"
	end
	guesses.right(host)
end

local function is_this_machine(request)
	local host = string.match(request.address, "^(.*):%d+$") or request.address
	host = string.gsub(string.gsub(host, "[%[%]]", ""), "^::ffff:", "")
	return host == "::1" or string.find(host, "^127%.%d+%.%d+%.%d+$") ~= nil
end

-- What proxies write into a request.
local PROXY_FIELDS <const> =
	{ "forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip" }

-- Who asks by way of a proxy on this machine is anywhere.
local function is_passed_on(request)
	for _, field in ipairs(PROXY_FIELDS) do
		if request.header[field] ~= nil then
			return true
		end
	end
	return next(origins) ~= nil
end

--- Why a request that costs the node something is not answered: without a password, only this machine may. Yields.
---@param request { header: table, address: string }
---@param what string what it is, for people
---@return integer? code nil: it is
---@return string? problem
function M.refusal_of_cost(request, what)
	local code, problem = M.refusal(request)
	if code then
		return code, problem
	elseif not password and not is_this_machine(request) then
		return 403, string.format("from another machine %s needs the dashboard_password", what)
	elseif not password and is_passed_on(request) then
		return 403, string.format("behind a proxy %s needs the dashboard_password", what)
	end
end

return M
