-- Loops of `../rows.lua`: metamethods, new tables, queues, the collector, numbers. Each stands alone: what two shared would be part of what is measured.
local row = ...

row("op_meta", 1e6, function(n)
	local V = {}
	V.__index = V
	V.__add = function(a, b)
		return setmetatable({ x = a.x + b.x, y = a.y + b.y }, V)
	end
	V.__eq = function(a, b)
		return a.x == b.x
	end
	local a, b = setmetatable({ x = 1, y = 2 }, V), setmetatable({ x = 3, y = 4 }, V)
	local s = 0
	for i = 1, n do
		local c = a + b
		if c == a then
			s = s + 1
		end
		s = s + c.x
	end
	return s
end)
row("index_fn", 2e6, function(n)
	local t = setmetatable({}, {
		__index = function(t, k)
			return 1
		end,
		__newindex = function(t, k, v) end,
	})
	local s = 0
	for i = 1, n do
		s = s + t.foo
		t.bar = i
	end
	return s
end)
row("call_meta", 2e6, function(n)
	local t = setmetatable({}, {
		__call = function(self, a)
			return a
		end,
		__len = function()
			return 3
		end,
	})
	local s = 0
	for i = 1, n do
		s = s + t(i) + #t
	end
	return s
end)
row("table_small", 2e6, function(n)
	local s = 0
	for i = 1, n do
		local t = { x = i, y = i }
		s = s + t.x
	end
	return s
end)
row("table_arr", 2e6, function(n)
	local s = 0
	for i = 1, n do
		local t = { i, i, i }
		s = s + t[1]
	end
	return s
end)
row("table_empty", 3e6, function(n)
	local t
	for i = 1, n do
		t = {}
	end
	return t
end)
row("table_grow", 3e5, function(n)
	local s = 0
	for i = 1, n do
		local t = {}
		for j = 1, 8 do
			t[j] = j
		end
		t.a = 1
		t.b = 2
		t.c = 3
		s = s + #t
	end
	return s
end)
row("insert_remove", 1.5e6, function(n)
	local ins, rem = table.insert, table.remove
	local t = {}
	for i = 1, n do
		ins(t, i)
		if #t > 50 then
			rem(t)
			rem(t)
		end
	end
	return #t
end)
row("insert_mid", 5e5, function(n)
	local ins, rem = table.insert, table.remove
	local t = {}
	for i = 1, 20 do
		t[i] = i
	end
	for i = 1, n do
		ins(t, 5, i)
		rem(t, 5)
	end
	return #t
end)
row("queue", 3e6, function(n)
	local q = {}
	local h, t = 1, 0
	local s = 0
	for i = 1, n do
		t = t + 1
		q[t] = i
		if t - h > 10 then
			s = s + q[h]
			q[h] = nil
			h = h + 1
		end
	end
	return s
end)
row("unpack", 2e6, function(n)
	local t = { 1, 2, 3, 4 }
	local u = table.unpack
	local s = 0
	for i = 1, n do
		local a, b, c, d = u(t)
		s = s + d
	end
	return s
end)
row("gc_tree", 12, function(n)
	local function mk(d)
		if d == 0 then
			return {}
		end
		return { left = mk(d - 1), right = mk(d - 1) }
	end
	local s = 0
	for i = 1, n do
		s = s + (mk(13) and 1 or 0)
	end
	return s
end)
row("gc_live", 10, function(n)
	local t = {}
	for i = 1, 100000 do
		t[i] = { id = i, name = "n" .. i }
	end
	for i = 1, n do
		collectgarbage()
	end
	return #t
end)
row("float", 5e6, function(n)
	local x = 0.5
	local s = 0.0
	for i = 1, n do
		x = x * 1.0000001 + 0.1
		s = s + x / 3
	end
	return s
end)
row("int", 6e6, function(n)
	local x = 1
	for i = 1, n do
		x = (x * 31 + i) & 0xffffff
		x = x ~ (x >> 3)
	end
	return x
end)
