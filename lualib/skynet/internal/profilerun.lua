--- A profile for some time, for the debug console and the metrics port, and what they show of it.

local skynet = require "skynet"
local defer = require "skynet.internal.defer"
local flamegraph = require "skynet.internal.flamegraph"
local folded = require "skynet.internal.folded"
local profiler = require "skynet.internal.profiler"
local profiletime = require "skynet.internal.profiletime"
local printable = require "skynet.internal.printable"
local rate = require "skynet.internal.profilerate"

local MOST_ROWS <const> = 25

local function bytes_text(bytes)
	for _, unit in ipairs { { 1 << 30, "GiB" }, { 1 << 20, "MiB" }, { 1 << 10, "KiB" } } do
		if bytes >= unit[1] then
			return string.format("%.1f %s", bytes / unit[1], unit[2])
		end
	end
	return string.format("%d bytes", bytes)
end

local function samples_text(samples)
	return string.format("%d samples", samples)
end

--- What can be taken: `text` of a number; `total` of all, with the samples in a second; `found`: the same for a title.
---@type table<string, { text: fun(number: integer): string, total: fun(number: integer, hz: integer): string, found: fun(number: integer, hz: integer): string }>
local KINDS <const> = {
	cpu = {
		text = samples_text,
		total = function(samples, hz)
			return string.format("%d samples, %.2f s of CPU time", samples, samples / hz)
		end,
		found = function(samples, hz)
			return string.format("%.2f s of CPU time", samples / hz)
		end,
	},
	alloc = {
		text = bytes_text,
		total = function(bytes)
			return bytes_text(bytes) .. " allocated"
		end,
		found = function(bytes)
			return bytes_text(bytes) .. " allocated"
		end,
	},
	held = {
		text = bytes_text,
		total = function(bytes)
			return bytes_text(bytes) .. " held"
		end,
		found = function(bytes)
			return bytes_text(bytes) .. " allocated and still held"
		end,
	},
}

local M = { KINDS = KINDS }

--- Takes a profile. Yields; if the task is killed meanwhile, the profile ends. Raises why there is none, for people.
---@param kind string of `KINDS`
---@param options table as for `skynet.profile_start`
---@param seconds number
---@return string stacks
---@return string? held of the kind "alloc"
---@return number? used seconds of CPU time that the services used meanwhile; nil: the core does not know
function M.take(kind, options, seconds)
	options.allocations = kind ~= "cpu"
	local before = profiletime(options)
	if options.script and not before then
		error("no service runs the script " .. printable(options.script), 0)
	end
	local ok, problem = pcall(profiler.profile_start, options)
	if not ok then
		error(string.gsub(tostring(problem), "^.-profile_start: ", ""), 0)
	end
	local guard <close> = defer(pcall, profiler.profile_stop)
	skynet.sleep(math.max(1, seconds * 100 // 1))
	guard.dismissed = true
	local stacks, held = profiler.profile_stop()
	local after = skynet.getenv "profile" ~= "false" and profiletime(options)
	local used = before and after and math.max(after - before, 0) or nil
	if kind == "held" then
		return held, nil, used
	end
	return stacks, held, used
end

-- Why there are no samples of CPU time, and what to do.
local function advice(hz, used)
	return string.format(
		"%s, and there is a sample for each %g s of it. Profile for longer, or with more samples in a second (hz, at most 1000)",
		used and string.format("%.3f s of CPU time were used meanwhile", used) or "little CPU time was used",
		1 / hz
	)
end

--- The flame graph of what was taken.
---@param kind string
---@param stacks string
---@param name string of what it is
---@param seconds number
---@param hz integer?
---@param used number? as of `take`
---@return string svg
function M.flamegraph(kind, stacks, name, seconds, hz, used)
	hz = hz or rate.HZ
	local sum = 0
	for _, number in folded.each(stacks) do
		sum = sum + number
	end
	local is_empty = kind == "cpu" and sum == 0
	local title =
		string.format("%g s of %s: %s", seconds, name, is_empty and "no samples" or KINDS[kind].found(sum, hz))
	return flamegraph(stacks, title, KINDS[kind].text, is_empty and advice(hz, used) or nil)
end

--- The functions with the most: in themselves, and with what they have called.
---@param kind string
---@param stacks string
---@param hz integer?
---@param used number? as of `take`
---@return string text
function M.top(kind, stacks, hz, used)
	hz = hz or rate.HZ
	if kind == "cpu" and stacks == "" then
		return "0 samples: " .. advice(hz, used)
	end
	local own, total, names, all = {}, {}, {}, 0
	for stack, count in folded.each(stacks) do
		all = all + count
		local met, last = {}, nil
		for frame in folded.frames(stack) do
			last = frame
			if not met[frame] then -- a function that calls itself counts once
				met[frame] = true
				if not total[frame] then
					names[#names + 1], own[frame] = frame, 0
				end
				total[frame] = (total[frame] or 0) + count
			end
		end
		own[last] = own[last] + count
	end
	table.sort(names, function(a, b)
		if own[a] ~= own[b] then
			return own[a] > own[b]
		elseif total[a] ~= total[b] then
			return total[a] > total[b]
		end
		return a < b
	end)
	local out = { KINDS[kind].total(all, hz), " self  total  function" }
	for i = 1, math.min(#names, MOST_ROWS) do
		local name = names[i]
		out[#out + 1] = string.format("%4.1f%% %5.1f%%  %s", own[name] / all * 100, total[name] / all * 100, name)
	end
	if #names > MOST_ROWS then
		out[#out + 1] = string.format("... and %d more", #names - MOST_ROWS)
	end
	return table.concat(out, "\n")
end

return M
