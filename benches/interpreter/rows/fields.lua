-- Loops of `../rows.lua`: fields, globals, arrays, keys. Each stands alone: what two shared would be part of what is measured.
local row = ...

row("field_read", 3e6, function(n)
	local t = { x = 1, y = 2, z = 3, name = "a" }
	local s = 0
	for i = 1, n do
		s = s + t.x + t.y + t.z
	end
	return s
end)
row("field_write", 3e6, function(n)
	local t = { x = 1, y = 2, z = 3 }
	for i = 1, n do
		t.x = i
		t.y = i
		t.z = i
	end
	return t.x
end)
row("field_rmw", 3e6, function(n)
	local t = { count = 0, sum = 0 }
	for i = 1, n do
		t.count = t.count + 1
		t.sum = t.sum + i
	end
	return t.sum
end)
row("method", 2e6, function(n)
	local C = {}
	C.__index = C
	function C.new(v)
		return setmetatable({ v = v }, C)
	end
	function C:get()
		return self.v
	end
	function C:add(x)
		self.v = self.v + x
	end
	local o = C.new(1)
	local s = 0
	for i = 1, n do
		o:add(1)
		s = s + o:get()
	end
	return s
end)
row("inherit", 2e6, function(n)
	local A = {}
	A.__index = A
	function A:f()
		return 1
	end
	local B = setmetatable({}, A)
	B.__index = B
	local o = setmetatable({}, B)
	local s = 0
	for i = 1, n do
		s = s + o:f()
	end
	return s
end)
gcount = 0
function gfun(x)
	return x
end
row("global_read", 3e6, function(n)
	local s = 0
	for i = 1, n do
		s = s + gcount + gcount
		if gfun == nil then
			s = 0
		end
	end
	return s
end)
row("global_call", 2e6, function(n)
	local s = 0
	for i = 1, n do
		s = s + math.abs(i) + (gfun(i))
	end
	return s
end)
row("global_write", 3e6, function(n)
	for i = 1, n do
		gcount = i
		gcount = gcount + 1
	end
	gcount = 0
end)
row("upvalue", 5e6, function(n)
	local a, b = 0, 1
	local function f()
		a = a + b
	end
	for i = 1, n do
		f()
	end
	return a
end)
row("closure", 1.5e6, function(n)
	local s = 0
	for i = 1, n do
		local f = function()
			return i
		end
		s = s + f()
	end
	return s
end)
row("array_read", 5e6, function(n)
	local t = {}
	for i = 1, 100 do
		t[i] = i
	end
	local s = 0
	local j = 1
	for i = 1, n do
		s = s + t[j]
		j = j + 1
		if j > 100 then
			j = 1
		end
	end
	return s
end)
row("array_write", 5e6, function(n)
	local t = {}
	for i = 1, 100 do
		t[i] = i
	end
	local j = 1
	for i = 1, n do
		t[j] = i
		j = j + 1
		if j > 100 then
			j = 1
		end
	end
	return t[1]
end)
row("dyn_key", 4e6, function(n)
	local ks = {}
	local t = {}
	for i = 1, 64 do
		ks[i] = "key" .. i
		t[ks[i]] = i
	end
	local s = 0
	local j = 1
	for i = 1, n do
		s = s + t[ks[j]]
		j = j + 1
		if j > 64 then
			j = 1
		end
	end
	return s
end)
row("dyn_write", 4e6, function(n)
	local ks = {}
	local t = {}
	for i = 1, 64 do
		ks[i] = "key" .. i
		t[ks[i]] = i
	end
	local j = 1
	for i = 1, n do
		t[ks[j]] = i
		j = j + 1
		if j > 64 then
			j = 1
		end
	end
	return t[ks[1]]
end)
row("int_key", 4e6, function(n)
	local t = {}
	for i = 1, 64 do
		t[i * 1000] = i
	end
	local s = 0
	local j = 1
	for i = 1, n do
		s = s + t[j * 1000]
		j = j + 1
		if j > 64 then
			j = 1
		end
	end
	return s
end)
row("pairs", 1e5, function(n)
	local t = {}
	for i = 1, 32 do
		t["key" .. i] = i
	end
	local s = 0
	for i = 1, n do
		for k, v in pairs(t) do
			s = s + v
		end
	end
	return s
end)
row("ipairs", 1e5, function(n)
	local t = {}
	for i = 1, 50 do
		t[i] = i
	end
	local s = 0
	for i = 1, n do
		for k, v in ipairs(t) do
			s = s + v
		end
	end
	return s
end)
row("next", 1e5, function(n)
	local t = { a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8 }
	local s = 0
	for i = 1, n do
		local k, v = next(t)
		while k do
			s = s + v
			k, v = next(t, k)
		end
	end
	return s
end)
