--- Tells a service, by a message of the type "lua" without an answer, that something has ended of which it knows, such as a
--- connection: a full mailbox (`mailbox_limit`) takes that, too, as nobody would ever tell it again. What begins is told by
--- `skynet.send`: when that is refused, it has to end.

local core = require "skynet.core"

local LUA <const>, TAG <const> = 10, 0x40000 -- of the core; that of the C project passes over the latter

local pack, send = core.pack, core.send

--- Does not yield.
---@param address integer|string
---@param ... any
---@return integer? 0; nil: there is no such service
return function(address, ...)
	return send(address, LUA | TAG, 0, pack(...))
end
