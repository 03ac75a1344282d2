--- Follows an engine of discovery, at one endpoint after the other, until its provider is closed, and tells the provider's sink.

local skynet = require "skynet"
local backoff = require "skynet.internal.backoff"

local FIRST_PAUSE <const>, LONGEST_PAUSE <const> = 10, 200 -- 1/100 s

--- Yields. The engine is lost when no endpoint has served.
---@param provider { closed: boolean, sink: table }
---@param endpoints integer how many there are
---@param follow fun(on_alive: fun(where: string)) follows one connection; raises why it ends; returns when all is to be taken anew
---@param move_on fun() to the next endpoint
return function(provider, endpoints, follow, move_on)
	local pause, served = backoff(FIRST_PAUSE, LONGEST_PAUSE)
	local failures = 0
	local alive
	local function on_alive(where)
		alive = true
		provider.sink.fresh(where)
	end
	while not provider.closed do
		local started = skynet.now()
		alive = false
		local ok, problem = pcall(follow, on_alive)
		if alive and served(started) then
			failures = 0
		elseif ok and not provider.closed then
			skynet.sleep(pause()) -- all is to be taken anew, again and again
		end
		if not ok and not provider.closed then
			failures = failures + 1
			move_on()
			if failures > endpoints then
				provider.sink.lost(tostring(problem))
				skynet.sleep(pause())
			end
		end
	end
end
