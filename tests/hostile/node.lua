-- The node that is attacked: opens the listeners that the config key `listeners` names, and prints a line for each:
--
--     listener NAME PORT KEY=HEX ...
--
-- KEY=HEX are the bytes that the attacks send, see `bytes` of listeners/*.lua. Then it prints "ready".

local skynet = require "skynet"

local function hex(text)
	return (string.gsub(text, ".", function(byte)
		return string.format("%02x", string.byte(byte))
	end))
end

skynet.start(function()
	for name in string.gmatch(skynet.getenv "listeners", "%S+") do
		local listener = require("listeners." .. name)
		local words = { "listener", name, listener.start() }
		for key, bytes in pairs(listener.bytes) do
			words[#words + 1] = key .. "=" .. hex(bytes)
		end
		print(table.concat(words, " "))
	end
	print "ready"
	io.stdout:flush()
end)
