--- The command `profile` of the debug console: takes a profile and writes its flame graphs and its stacks to files.
--- "profile ADDRESS 10", "profile node 10", "profile script NAME 10": CPU time; "profile ADDRESS 10 1000": with 1000 samples for
--- each second of it; "profile alloc ADDRESS 10" and so on: allocations.
---
--- Config key: `profile_path`, the folder of the files; the one that the node runs in by default.

local skynet = require "skynet"
local profilename = require "skynet.internal.profilename"
local profilerun = require "skynet.internal.profilerun"

local SECONDS <const>, MOST_SECONDS <const> = 10, 300
local USAGE <const> = "Need an address, node or script: profile [alloc] ADDRESS|node|script NAME [SECONDS [HZ]]"

local function write(path, text)
	local file, problem = io.open(path, "wb")
	if not file then
		return nil, problem
	end
	local ok, failed = file:write(text)
	ok, failed = file:close() and ok, failed
	return ok, failed or "it cannot be written"
end

-- What is asked for: the kind, options for `skynet.profile_start`, what it is of, seconds and samples in a second.
local function wishes(to_address, kind, what, ...)
	if what == "alloc" and kind == "cpu" then
		return wishes(to_address, "alloc", ...)
	elseif what == nil then
		error(USAGE, 0)
	elseif what == "node" then
		return kind, { node = true }, "node", ...
	elseif what == "script" then
		local name = ... or error("profile: the name of a script is needed", 0)
		return kind, { script = name }, ...
	end
	local ok, address = pcall(to_address, what)
	if not ok then
		error(address == "Need an address" and string.format("%s; not %s", USAGE, what) or address, 0)
	end
	address = type(address) == "number" and skynet.address(address) or address
	return kind, { service = address }, address, ...
end

---@param to_address fun(text: string?): integer|string the console's
---@param ... string
---@return string text
return function(to_address, ...)
	local kind, options, name, seconds, hz = wishes(to_address, "cpu", ...)
	local time = tonumber(seconds or SECONDS)
	if not time or not (time >= 1 and time <= MOST_SECONDS) then
		error(string.format("profile: 1 to %d seconds, not %s", MOST_SECONDS, seconds), 0)
	elseif hz and (kind ~= "cpu" or not math.tointeger(tonumber(hz))) then
		error("profile: hz is a number of samples in a second, of CPU time", 0)
	end
	options.hz = math.tointeger(tonumber(hz))
	local ok, stacks, held, used = pcall(profilerun.take, kind, options, time)
	if not ok then
		error("profile: " .. stacks, 0)
	end
	local folder = skynet.getenv "profile_path" or "."
	local date = os.date "%Y%m%d-%H%M%S"
	local out = {}
	local function add(what, prefix, text)
		out[#out + 1] = profilerun.top(what, text, options.hz, used)
		if text == "" then
			return
		end
		local base = profilename(folder, prefix, name, date)
		local graph = profilerun.flamegraph(what, text, name, time, options.hz, used)
		for _, file in ipairs { { "flame graph", ".svg", graph }, { "stacks", ".folded", text } } do
			local path = base .. file[2]
			local written, problem = write(path, file[3])
			out[#out + 1] = string.format("%s: %s", file[1], written and path or "not written: " .. tostring(problem))
		end
	end
	add(kind, kind == "cpu" and "profile" or "profile-alloc", stacks)
	if held then
		add("held", "profile-held", held)
	end
	return table.concat(out, "\n")
end
