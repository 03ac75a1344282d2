-- Calls one function of a module with arguments that nobody means, in its main chunk and in tasks, and says what came of it.
local skynet = require "skynet"
local sweep = require "sweep"
local arguments = require "arguments"

local WORDS <const> = { "nothing", "nil", "-1", "text", "table" } -- in the main chunk

local place <const>, key <const> = ...

local module = require(place)
local func = type(module) == "table" and module or { [key] = module }
for part in string.gmatch(key, "[^.]+") do
	func = func[part]
end

local cases = {}
for _, word in ipairs(WORDS) do
	local values = arguments.packed { word }
	cases[#cases + 1] = { "outside: " .. word, sweep.observe_types(func, table.unpack(values, 1, values.n)) }
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, lists, limit)
		local respond = skynet.response()
		for _, words in ipairs(lists) do
			local values = arguments.packed(words)
			local observation = sweep.within(limit, sweep.observe_types, func, table.unpack(values, 1, values.n))
			cases[#cases + 1] = { table.concat(words, ","), observation }
			if observation == "waits" then
				break -- the others would take as long
			end
		end
		respond(true, cases)
	end)
end)
