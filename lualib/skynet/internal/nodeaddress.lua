--- nodeaddress(address, port): host and port of a node's address, and how reports write it. `address` is "host:port" or
--- "[host]:port"; with a port it is a host. The port is nil when there is none to be seen.

---@param address string
---@param its_port string|integer|nil
---@return string host, integer? port, string text
return function(address, its_port)
	if its_port then
		return address, math.tointeger(tonumber(its_port)), address .. ":" .. its_port
	end
	local inner, number = address:match "%[([^%[]-)%]:%s*(%d+)$"
	if not inner then
		inner, number = address:match "^([^:%[]*):%s*(%d+)$"
	end
	return inner or address, math.tointeger(tonumber(number)), address
end
