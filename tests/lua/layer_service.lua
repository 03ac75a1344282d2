-- Changes its VM as the argument says, then loads the API and answers questions about it.
local change = ...

local created, lines, kernel = 0, 0, nil
local KERNEL <const> = "skynet.internal.kernel"
-- What is copied: the API, and what it needs.
local PARTS <const> = {
	"skynet",
	"skynet.internal.runtime",
	"skynet.internal.taskend",
	"skynet.internal.calls",
	KERNEL,
	"skynet.internal.environment",
	"skynet.internal.lifecycle",
}

-- What `require` would run for a module.
local function loader_of(name)
	for _, searcher in ipairs(package.searchers) do
		local loader, extra = searcher(name)
		if type(loader) == "function" then
			return loader, extra
		end
	end
end

local function use_disk()
	local scripts = string.match(package.path, "([^;]*)%?%.lua")
	package.path = scripts .. "../../lualib/?.lua;" .. package.path
end

local changes = {
	nothing = function() end,
	disk = use_disk,
	uncached = function()
		use_disk()
		require "skynet.codecache".mode "OFF"
	end,
	coroutine = function()
		local create = coroutine.create
		function coroutine.create(...)
			created = created + 1
			return create(...)
		end
	end,
	pcall = function()
		pcall = nil
	end,
	preload = function()
		local load = loader_of(KERNEL)
		package.preload[KERNEL] = function(...)
			kernel = "preloaded"
			return load(...)
		end
	end,
	path = function()
		use_disk()
		local folder = os.tmpname()
		os.remove(folder)
		assert(os.execute("mkdir -p " .. folder .. "/skynet/internal"))
		local file = assert(io.open(folder .. "/skynet/internal/kernel.lua", "w"))
		file:write(
			"KERNEL_FOUND = true return dofile(",
			string.format("%q", package.searchpath(KERNEL, package.path)),
			")"
		)
		file:close()
		package.path = folder .. "/?.lua;" .. package.path
		REMOVE = folder
	end,
	hook = function()
		debug.sethook(function()
			lines = lines + 1
		end, "l")
	end,
}

changes[change]()
local loader = loader_of "skynet"
local skynet = require "skynet"
if REMOVE then
	os.execute("rm -r " .. REMOVE)
	kernel = KERNEL_FOUND and "found"
end
debug.sethook()

-- Raises unless `a` and `b` are alike in all that can be reached; `twins` knows what corresponds to what.
local function compare(a, b, twins, path)
	if rawequal(a, b) then
		return
	end
	assert(type(a) == type(b), path)
	if twins[a] ~= nil then
		assert(twins[a] == b, path)
		return
	end
	twins[a] = b
	if type(a) == "table" then
		for key, value in next, a do
			compare(value, rawget(b, key), twins, path .. "." .. tostring(key))
		end
		for key in next, b do
			assert(rawget(a, key) ~= nil, path .. "." .. tostring(key))
		end
		compare(debug.getmetatable(a), debug.getmetatable(b), twins, path .. ":metatable")
	elseif type(a) == "function" then
		local mine, other = debug.getinfo(a, "S"), debug.getinfo(b, "S")
		assert(mine.what ~= "C" and mine.source == other.source and mine.linedefined == other.linedefined, path)
		for i = 1, 255 do
			local name, value = debug.getupvalue(a, i)
			local other_name, other_value = debug.getupvalue(b, i)
			assert(name == other_name, path)
			if not name then
				break
			end
			local place, other_place = debug.upvalueid(a, i), debug.upvalueid(b, i)
			-- Constants with one value are one upvalue of the copy, whichever modules they are of; variables never.
			local constant = type(value) == "table" or type(value) == "function"
			assert((twins[other_place] or place) == place, path .. ":" .. name)
			assert(constant or (twins[place] or other_place) == other_place, path .. ":" .. name)
			twins[place], twins[other_place] = other_place, place
			compare(value, other_value, twins, path .. ":" .. name)
		end
	else
		error(path .. " differs")
	end
end

local answers = {}

function answers.compare()
	-- As they were loaded: this service has changed them by starting.
	local saved = {}
	for _, name in ipairs(PARTS) do
		saved[name] = assert(package.loaded[name], name)
	end
	local function load_all()
		for _, name in ipairs(PARTS) do
			package.loaded[name] = nil
		end
		local values = { skynet = loader_of "skynet" "skynet" }
		for i = 2, #PARTS do
			values[PARTS[i]] = assert(package.loaded[PARTS[i]], PARTS[i])
		end
		return values
	end
	local copied = load_all()
	debug.sethook(function() end, "c")
	local run = load_all()
	debug.sethook()
	for name, value in pairs(saved) do
		package.loaded[name] = value
	end
	assert(copied.skynet ~= run.skynet)
	compare(copied, run, {}, "layer")
	return true
end

function answers.copied()
	return debug.getinfo(loader, "S").what == "C"
end

function answers.source()
	return debug.getinfo(skynet.call, "S").source
end

function answers.mark()
	skynet.mark = true
	require(KERNEL).mark = true
end

function answers.marked()
	return skynet.mark == true, require(KERNEL).mark == true
end

function answers.created()
	return created
end

function answers.pcall()
	return skynet.pcall ~= nil
end

function answers.kernel()
	return kernel
end

function answers.lines()
	return lines
end

function answers.collect()
	collectgarbage "collect"
	collectgarbage "step"
	return "still here"
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, what)
		skynet.retpack(answers[what]())
	end)
end)
