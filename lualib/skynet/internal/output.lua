--- output(fd): bytes that wait to be sent by a socket, and bytes that it has sent; 0 for one that is gone. Does not yield.

local core = require "skynet.core"
local driver = require "skynet.socketdriver"

-- Another core does not tell, and goes through all of its places for sockets.
local function look_for(fd)
	for _, info in ipairs(driver.info()) do
		if info.id == fd then
			return info.wbuffer or 0, info.write or 0
		end
	end
	return 0, 0
end

local tells -- whether this core does

---@param fd integer
---@return integer waiting, integer sent
return function(fd)
	local text = core.command("OUTPUT", tostring(fd))
	if text then
		local waiting, sent = string.match(text, "^(%d+) (%d+)")
		return math.tointeger(waiting), math.tointeger(sent)
	end
	if tells == nil then
		tells = core.command("HANDLED", core.command("REG")) ~= nil
	end
	if tells then
		return 0, 0
	end
	return look_for(fd)
end
