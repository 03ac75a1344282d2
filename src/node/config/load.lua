-- Reads a config file: a Lua file whose globals are the settings, with $NAME for variables of the process's environment
-- and include "file" for other files, relative to the folder of the file that includes them. With a table `missing`, names that
-- the environment lacks are put there instead of raised, and SKYNET_NO_NAME stands for $NAME: a name too, and part of a text.
-- The table `used` gets the names of settings that the file itself reads, as parts of other settings.
local path, used, missing = ...
local settings = {}
local globals = {}
local slash = package.config:sub(1, 1)
local folder = "." .. slash
local MOST_DEEP <const> = 100 -- files that include one another
local MOST_BYTES <const> = 16 << 20 -- of a file
local deep = 0

local function variable(name)
	local value = os.getenv(name)
	if not value then
		if not missing then
			error("os.getenv() failed: " .. name)
		end
		missing[#missing + 1] = name
		return "SKYNET_NO_" .. name
	end
	return value
end

local function include(path)
	local outer = folder
	local dir, name = path:match("^(.*" .. slash .. ")(.*)$")
	if not dir then
		name = path
	elseif dir:sub(1, 1) == slash then
		folder = dir
	else
		folder = outer .. dir
	end
	local file, reason = io.open(folder .. name)
	if not file then
		error(reason)
	end
	local text, failure = file:read(MOST_BYTES + 1)
	file:close()
	if failure then
		error(path .. ": cannot be read")
	end
	text = text or ""
	if #text > MOST_BYTES then
		error(path .. ": is too large for a config")
	end
	text = text:gsub("%$([%w_]+)", variable)
	local chunk, mistake = load(text, "@" .. path, "t", globals)
	if not chunk then
		error(mistake)
	end
	if deep == MOST_DEEP then
		error(path .. ": included by " .. MOST_DEEP .. " files, one in another; does it include itself?", 0)
	end
	deep = deep + 1
	chunk()
	deep = deep - 1
	folder = outer
end

local function read(_, name)
	local value = settings[name]
	if value == nil then
		return name == "include" and include or nil
	end
	used[#used + 1] = name
	return value
end

-- Nothing is ever in `globals` itself, so that each access is seen.
setmetatable(globals, { __index = read, __newindex = settings })
include(path)
return settings
