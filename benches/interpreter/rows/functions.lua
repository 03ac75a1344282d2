-- Loops of `../rows.lua`: calls, errors, coroutines, strings, sorting. Each stands alone: what two shared would be part of what is measured.
local row = ...

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
