--- Calls to a node that it has not answered yet: too many of them, and nothing heard from it, and further ones are refused.
---
---     local unanswered = counter(65536)
---     unanswered.begin()
---     local why = unanswered.refusal(heard)

local now = require "skynet.core".now
local outflow = require "skynet.internal.outflow"

---@param most integer calls
---@return { count: integer, begin: fun(), finish: fun(), refusal: fun(heard: integer): string? } unanswered
return function(most)
	local since = 0 -- when there are any
	local unanswered = { count = 0 }

	function unanswered.begin()
		if unanswered.count == 0 then
			since = now()
		end
		unanswered.count = unanswered.count + 1
	end

	function unanswered.finish()
		unanswered.count = unanswered.count - 1
	end

	--- Why there should be no more of them; nil: there may be. Does not yield.
	---@param heard integer when the node has said something
	---@return string?
	function unanswered.refusal(heard)
		local level = unanswered.count / most
		local silence = now() - math.max(heard, since)
		if level >= 1 and outflow.is_over(level, silence) then
			return string.format(
				"%d calls wait for it, and it has said nothing for %.2f s",
				unanswered.count,
				silence / 100
			)
		end
	end

	return unanswered
end
