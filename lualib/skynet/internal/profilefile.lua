--- The command `profile` of the debug console: takes a profile and writes its flame graph and its stacks to files.
---
--- Config key: `profile_path`, the folder of the files; the one that the node runs in by default.

local skynet = require "skynet"
local flamegraph = require "skynet.internal.flamegraph"
local profilerun = require "skynet.internal.profilerun"

local SECONDS <const>, MOST_SECONDS <const> = 10, 300
local HZ <const> = 100

local function write(path, text)
	local file, problem = io.open(path, "wb")
	if not file then
		return nil, problem
	end
	local ok, failed = file:write(text)
	ok, failed = file:close() and ok, failed
	return ok, failed or "it cannot be written"
end

---@param options table as for `skynet.profile_start`
---@param name string of what it is
---@param seconds string?
---@return string text
return function(options, name, seconds)
	local time = tonumber(seconds or SECONDS)
	if not time or not (time >= 1 and time <= MOST_SECONDS) then
		error(string.format("profile: 1 to %d seconds, not %s", MOST_SECONDS, seconds), 0)
	end
	options.hz = HZ
	local ok, stacks = pcall(profilerun.run, options, time)
	if not ok then
		error(string.gsub(tostring(stacks), "^.-profile_start: ", "profile: "), 0)
	end
	local out = { profilerun.top(stacks, HZ) }
	if stacks ~= "" then
		local folder = skynet.getenv "profile_path" or "."
		local word = string.gsub(string.sub(name, 1, 40), "[^%w_-]", "")
		local base = string.format("%s/profile-%s-%s", folder, word, os.date "%Y%m%d-%H%M%S")
		local title = string.format("CPU time of %s, %g s", name, time)
		for _, file in ipairs { { "flame graph", ".svg", flamegraph(stacks, title) }, { "stacks", ".folded", stacks } } do
			local path = base .. file[2]
			local written, problem = write(path, file[3])
			out[#out + 1] = string.format("%s: %s", file[1], written and path or "not written: " .. tostring(problem))
		end
	end
	return table.concat(out, "\n")
end
