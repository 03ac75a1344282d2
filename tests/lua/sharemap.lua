-- A table that one service writes and others read.
local skynet = require "skynet"
local sharemap = require "skynet.sharemap"
local check = require "check"

local cases = {}

local function register()
	local path = os.tmpname()
	local file = io.open(path, "w")
	file:write ".state { x 0 : integer y 1 : string list 2 : *integer }"
	file:close()
	sharemap.register(path)
	os.remove(path)
end

function cases.readers_see_what_is_committed()
	register()
	local writer = sharemap.writer("state", { x = 1 })
	local reader = sharemap.reader("state", writer:copy())
	local other = sharemap.reader("state", writer:copy())
	check.equal({ reader.x, reader.y }, { 1, nil })
	writer.x, writer.y, writer.list = 2, "y", { 1, 2 }
	check.equal(writer.x, 2)
	reader:update()
	check.equal(reader.x, 1, "not committed")
	writer:commit()
	check.equal(reader.x, 1, "not updated")
	reader:update()
	check.equal({ reader.x, reader.y, reader.list }, { 2, "y", { 1, 2 } })
	writer.y, writer.list = nil, nil
	writer:commit()
	reader:update()
	other:update()
	check.equal({ reader.x, reader.y, reader.list }, { 2, nil, nil })
	check.equal(other.x, 2)
	assert(not pcall(function()
		reader.x = 5
	end))
end

check.run(cases)
