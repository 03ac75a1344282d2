--- A profile for some time, for the debug console and the metrics port, and what they show of it.

local skynet = require "skynet"
local defer = require "skynet.internal.defer"
local flamegraph = require "skynet.internal.flamegraph"
local folded = require "skynet.internal.folded"
local profiler = require "skynet.internal.profiler"
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

--- What can be taken: `title` with what it is of, and the seconds; `text` of a number; `total` of all, with the samples in a second.
---@type table<string, { title: string, text: fun(number: integer): string, total: fun(number: integer, hz: integer): string }>
local KINDS <const> = {
	cpu = {
		title = "CPU time of %s, %g s",
		text = samples_text,
		total = function(samples, hz)
			return string.format("%d samples, %.2f s of CPU time", samples, samples / hz)
		end,
	},
	alloc = {
		title = "bytes allocated by %s, %g s",
		text = bytes_text,
		total = function(bytes)
			return bytes_text(bytes) .. " allocated"
		end,
	},
	held = {
		title = "bytes held by %s of those allocated in %g s",
		text = bytes_text,
		total = function(bytes)
			return bytes_text(bytes) .. " held"
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
function M.take(kind, options, seconds)
	options.allocations = kind ~= "cpu"
	local ok, problem = pcall(profiler.profile_start, options)
	if not ok then
		error(string.gsub(tostring(problem), "^.-profile_start: ", ""), 0)
	end
	local guard <close> = defer(pcall, profiler.profile_stop)
	skynet.sleep(math.max(1, seconds * 100 // 1))
	guard.dismissed = true
	local stacks, held = profiler.profile_stop()
	if kind == "held" then
		return held
	end
	return stacks, held
end

--- The flame graph of what was taken.
---@param kind string
---@param stacks string
---@param name string of what it is
---@param seconds number
---@return string svg
function M.flamegraph(kind, stacks, name, seconds)
	return flamegraph(stacks, string.format(KINDS[kind].title, name, seconds), KINDS[kind].text)
end

--- The functions with the most: in themselves, and with what they have called.
---@param kind string
---@param stacks string
---@param hz integer?
---@return string text
function M.top(kind, stacks, hz)
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
	local out = { KINDS[kind].total(all, hz or rate.HZ), " self  total  function" }
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
