--- sproto types that the services of a node share, in numbered slots.

local parser = require "sprotoparser"
local core = require "sproto.core"
local sproto = require "sproto"

---@class sprotoloader
local loader = {}

--- Loads a file in sproto's language into a slot. Does not yield.
---@param filename string
---@param index integer 0..15
function loader.register(filename, index)
	local file = assert(io.open(filename), "Can't open sproto file")
	local text = file:read "a"
	file:close()
	loader.save(parser.parse(text, filename), index)
end

--- Puts types into a slot. Does not yield.
---@param bin string what sprotoparser made
---@param index integer
function loader.save(bin, index)
	core.saveproto(core.newproto(bin), index)
end

--- The types of a slot. Does not yield.
---@param index integer
---@return sproto types
function loader.load(index)
	return sproto.sharenew(core.loadproto(index))
end

return loader
