--- Names of the files of a profile: what it is of, and when; another file is never written over.

local LETTERS <const> = 40 -- of what it is of

local function is_there(path)
	local file = io.open(path, "rb")
	if file then
		file:close()
	end
	return file ~= nil
end

-- A name as a part of a file's: letters of any language stay.
local function word_of(name)
	if not utf8.len(name) then
		name = string.gsub(name, "[\x80-\xff]", "")
	end
	name = string.gsub(string.gsub(name, "[/:%c]", ""), "\xc2[\x80-\x9f]", "")
	name = string.gsub(name, "^%.+", "")
	local stop = utf8.offset(name, LETTERS + 1)
	return stop and string.sub(name, 1, stop - 1) or name
end

---@param folder string
---@param prefix string
---@param name string what the profile is of
---@param date string
---@return string path without extension: there is no ".svg" and no ".folded" of it
return function(folder, prefix, name, date)
	local path = string.format("%s/%s-%s-%s", folder, prefix, word_of(name), date)
	local free, number = path, 1
	while is_there(free .. ".svg") or is_there(free .. ".folded") do
		number = number + 1
		free = string.format("%s-%d", path, number)
	end
	return free
end
