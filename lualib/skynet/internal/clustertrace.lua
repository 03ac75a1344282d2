--- clustertrace(our_name, node, session): the trace tag of the running task as it goes to another node of the cluster, with a line in
--- the log; nil: it has none.

local skynet = require "skynet"

---@param our_name string
---@param node string
---@param session integer of the request
---@return string?
return function(our_name, node, session)
	local tag = skynet.tracetag()
	if not tag then
		return nil
	end
	if string.sub(tag, 1, 1) ~= "(" then -- the first node that it leaves
		local first = tag
		tag = string.format("(%s-%s-%d)%s", our_name, node, session, tag)
		skynet.tracelog(first, "session " .. tag)
	end
	skynet.tracelog(tag, "cluster " .. node)
	return tag
end
