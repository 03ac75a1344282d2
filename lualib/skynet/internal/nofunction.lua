--- What runs in the place of a function that was not there: `skynet.fork(work())`, say, or a name with a slip. It fails as calling
--- nil does, in its task, and tells where that comes from: when it runs, the stack has nothing of it any more.
---@param who string the function that was given nil, which calls the one that calls this
---@return fun()
return function(who)
	local place = debug.getinfo(3, "Sl")
	local where = place and place.currentline > 0 and string.format(" at %s:%d", place.short_src, place.currentline)
		or ""
	local text = string.format("attempt to call a nil value: %s%s was given nil for a function", who, where)
	return function()
		error(text, 0)
	end
end
