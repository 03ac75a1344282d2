--- Pauses between tries, each about twice as long as the one before, and never the same for two who wait for the same thing.
---
---     local pause = backoff(10, 200)
---     skynet.sleep(pause())      -- 5 to 10, then 10 to 20, ... 100 to 200, in 1/100 s
---     pause(true)                -- it has worked: from the beginning

---@param first integer 1/100 s
---@param longest integer 1/100 s
---@return fun(reset: boolean?): integer pause
return function(first, longest)
	local next_pause = first
	return function(reset)
		if reset then
			next_pause = first
			return 0
		end
		local pause = next_pause // 2 + math.random(0, next_pause // 2)
		next_pause = math.min(next_pause * 2, longest)
		return pause
	end
end
