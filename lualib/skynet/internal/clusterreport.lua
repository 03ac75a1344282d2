--- report(nodes, figures, discovery): a line for each node of the cluster, as the debug console shows them.

local function line_of(node, figures)
	local parts = { node.address and tostring(node.address) or node.address == false and "down" or "unknown" }
	if figures then
		parts[#parts + 1] = figures.up and "connected" or "not connected"
		if figures.latency and figures.latency > 0 then
			parts[#parts + 1] = string.format("%.2f ms away", figures.latency * 1000)
		end
		parts[#parts + 1] = string.format("waiting: %d (%d bytes)", figures.waiting, figures.waiting_bytes)
		parts[#parts + 1] = string.format("failed calls: %d", figures.failed)
		parts[#parts + 1] = string.format("lost sends: %d", figures.dropped)
		parts[#parts + 1] = string.format("connected again: %d", figures.reconnects)
	elseif node.address then
		parts[#parts + 1] = "not used"
	end
	return table.concat(parts, ", ")
end

---@param nodes table<string, { address: string|false|nil }>
---@param figures table<string, table> of the connections
---@param discovery table? its figures
---@return table<string, string>
return function(nodes, figures, discovery)
	local lines = {}
	for name, node in pairs(nodes) do
		lines[name] = line_of(node, figures[name])
	end
	if discovery then
		local state = discovery.fresh == 1 and "fresh" or string.format("stale for %.1f s", discovery.stale_seconds)
		lines["(discovery)"] = string.format(
			"%s, nodes: %d, names: %d, locks: %d",
			state,
			discovery.nodes,
			discovery.names,
			discovery.locks
		)
	end
	return lines
end
