--- A profile for some time, for the debug console and the metrics port, and what they show of it.

local skynet = require "skynet"
local defer = require "skynet.internal.defer"
local profiler = require "skynet.internal.profiler"

local MOST_ROWS <const> = 25

local M = {}

--- Takes a profile. Yields; if the task is killed meanwhile, the profile ends.
---@param options table as for `skynet.profile_start`
---@param seconds number
---@return string stacks
function M.run(options, seconds)
	profiler.profile_start(options)
	local guard <close> = defer(pcall, profiler.profile_stop)
	skynet.sleep(math.max(1, seconds * 100 // 1))
	guard.dismissed = true
	return profiler.profile_stop()
end

--- The functions with the most samples: in themselves, and with what they have called.
---@param stacks string
---@param hz integer
---@return string text
function M.top(stacks, hz)
	local own, total, names, all = {}, {}, {}, 0
	for stack, count in string.gmatch(stacks, "([^\n]+) (%d+)\n") do
		count = math.tointeger(count)
		all = all + count
		local met, last = {}, nil
		for frame in string.gmatch(stack, "[^;]+") do
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
	local out = {
		string.format("%d samples, %.2f s of CPU time", all, all / hz),
		" self  total  function",
	}
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
