-- Loops of one kind each: rows.lua ROW [SCALE] prints the CPU seconds of one, rows.lua list their names.
-- Longer than other files, as it is one table: what two rows share would be part of what is measured.
local rows = {}
local function row(name, n, f)
	rows[#rows + 1] = name
	rows[name] = { n, f }
end

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
row("call", 5e6, function(n)
	local function f(a, b)
		return a + b
	end
	local s = 0
	for i = 1, n do
		s = f(s, i)
	end
	return s
end)
row("fib", 27, function(n)
	local function fib(x)
		if x < 2 then
			return x
		end
		return fib(x - 1) + fib(x - 2)
	end
	return fib(n)
end)
row("vararg", 2e6, function(n)
	local function f(...)
		return select("#", ...)
	end
	local s = 0
	for i = 1, n do
		s = s + f(i, i, i)
	end
	return s
end)
row("ccall", 3e6, function(n)
	local abs = math.abs
	local s = 0
	for i = 1, n do
		s = s + abs(i)
	end
	return s
end)
row("pcall", 2e6, function(n)
	local function f(x)
		return x
	end
	local p = pcall
	local s = 0
	for i = 1, n do
		local _, v = p(f, i)
		s = s + v
	end
	return s
end)
row("error", 5e5, function(n)
	local function f(x)
		error("x", 0)
	end
	local p = pcall
	local s = 0
	for i = 1, n do
		local ok, v = p(f, i)
		if not ok then
			s = s + 1
		end
	end
	return s
end)
row("co_switch", 1.5e6, function(n)
	local co = coroutine.wrap(function()
		while true do
			coroutine.yield(1)
		end
	end)
	local s = 0
	for i = 1, n do
		s = s + co()
	end
	return s
end)
row("co_create", 3e5, function(n)
	local s = 0
	for i = 1, n do
		local co = coroutine.create(function(a)
			return a
		end)
		local _, v = coroutine.resume(co, i)
		s = s + v
	end
	return s
end)
row("str_new", 2e6, function(n)
	local s = 0
	local sub = string.sub
	local base = ("abcdefghijklmnopqrstuvwxyz"):rep(40)
	for i = 1, n do
		local k = i % 1000 + 1
		s = s + #sub(base, k, k + 7)
	end
	return s
end)
row("concat_op", 1e6, function(n)
	local s = 0
	for i = 1, n do
		local x = "key" .. i .. ":"
		s = s + #x
	end
	return s
end)
row("concat_long", 2e5, function(n)
	local a = ("x"):rep(60)
	local s = 0
	for i = 1, n do
		local x = a .. i .. a .. i
		s = s + #x
	end
	return s
end)
row("tconcat", 3e4, function(n)
	local t = {}
	for i = 1, 50 do
		t[i] = "item" .. i
	end
	local s = 0
	for i = 1, n do
		s = s + #table.concat(t, ",")
	end
	return s
end)
row("format", 6e5, function(n)
	local s = 0
	local f = string.format
	for i = 1, n do
		s = s + #f("%d:%s:%5.2f", i, "name", i * 0.5)
	end
	return s
end)
row("tostring", 1e6, function(n)
	local s = 0
	for i = 1, n do
		s = s + #tostring(i)
	end
	return s
end)
row("pack", 6e5, function(n)
	local s = 0
	local p, u = string.pack, string.unpack
	for i = 1, n do
		local x = p("<i4i8s2", i, i, "hello")
		local a, b = u("<i4i8", x)
		s = s + a + b
	end
	return s
end)
row("gsub", 1e5, function(n)
	local s = 0
	for i = 1, n do
		s = s + #(("hello world from lua"):gsub("%w+", "<%0>"))
	end
	return s
end)
row("find", 1e6, function(n)
	local s = 0
	local t = "the quick brown fox jumps over"
	for i = 1, n do
		s = s + t:find("fox", 1, true)
	end
	return s
end)
row("byte_char", 2e6, function(n)
	local s = 0
	local b, c = string.byte, string.char
	for i = 1, n do
		s = s + b(c(i & 127))
	end
	return s
end)
row("str_eq", 5e6, function(n)
	local a, b = "alpha", "beta"
	local s = 0
	local t = { a, b }
	for i = 1, n do
		if t[1] == t[2] then
			s = s + 1
		end
		if t[1] == "alpha" then
			s = s + 1
		end
		if t[2] ~= "gamma" then
			s = s + 1
		end
	end
	return s
end)
row("sort", 300, function(n)
	local s = 0
	local r = 42
	for k = 1, n do
		local t = {}
		for i = 1, 500 do
			r = (r * 1103515245 + 12345) & 0x7fffffff
			t[i] = r
		end
		table.sort(t)
		s = s + t[1]
	end
	return s
end)
row("sort_cmp", 150, function(n)
	local s = 0
	local r = 42
	for k = 1, n do
		local t = {}
		for i = 1, 500 do
			r = (r * 1103515245 + 12345) & 0x7fffffff
			t[i] = { v = r }
		end
		table.sort(t, function(a, b)
			return a.v < b.v
		end)
		s = s + t[1].v
	end
	return s
end)
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

local name, scale = arg[1], tonumber(arg[2] or 1)
if name == "list" then
	print(table.concat(rows, " "))
	return
end
local r = rows[name]
local n = name == "fib" and r[1] + math.floor(math.log(scale, 1.618) + 0.5) or math.max(1, r[1] * scale // 1)
n = math.tointeger(n)
local c = os.clock()
r[2](n)
print(string.format("%.4f", os.clock() - c))
