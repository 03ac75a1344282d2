--- Read-only data made by skynet.datasheet.builder, in every service of the node: keeps itself up to
--- date.

local skynet = require "skynet"
local check_yieldable = require "skynet.internal.kernel".check_yieldable
local service = require "skynet.service"
local core = require "skynet.datasheet.core"
local shared = require "skynet.internal.shared"

---@class skynet.datasheet
local datasheet = {}

local owner
local loading = {} -- see skynet.internal.shared
local sheets = setmetatable({}, { -- name -> { object, handle, problem }
	__gc = function()
		skynet.send(owner, "lua", "close")
	end,
})

-- Takes each new version; ends with the service.
local function follow(sheet)
	while true do
		local before = sheet.handle
		local handle = skynet.call(owner, "lua", "monitor", before)
		core.update(sheet.object, handle)
		sheet.handle = handle
		skynet.send(owner, "lua", "release", before)
	end
end

local function load_sheet(name)
	local ok, result = pcall(skynet.call, owner, "lua", "query", name)
	local sheet = {}
	sheets[name] = sheet
	if ok then
		sheet.handle = result
		sheet.object = core.new(result)
		skynet.fork(follow, sheet)
	else
		sheet.problem = result
	end
	return sheet
end

--- The data of a name. Yields the first time.
---@param name string
---@return table object read-only. Raises when it has not been built, this time and every later one
function datasheet.query(name)
	local sheet = sheets[name]
	if not sheet then
		check_yieldable()
		sheet = shared(loading, name, function()
			return load_sheet(name)
		end)
	end
	if sheet.problem then
		error(sheet.problem)
	end
	return sheet.object
end

skynet.init(function()
	owner = service.query "datasheet"
end)

return datasheet
