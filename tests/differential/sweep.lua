-- What the suites observe with: calls a function with right and wrong arguments, and prints what came of it as records
-- "@ subject TAB case TAB observation", free of all that differs between two runs of the same program.
local skynet = require "skynet"
local arguments_of = require "arguments"

local M = {}

local LONGEST <const> = 160
local LONGEST_MESSAGE <const> = 4000 -- what is longer is data
local DEEPEST <const> = 4

---------------------------------------------------------------- rendering

local ESCAPES <const> = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ["\\"] = "\\\\" }

-- Takes out of a text what says where something is rather than what it is.
function M.normal(text)
	if #text > LONGEST_MESSAGE then
		return text
	end
	-- Further lines, in brackets or behind a tab: what `require` has tried; here also which command of which service,
	-- or which address.
	text = string.sub(string.gsub(text .. "\n", "\n%s*%([^\n]*%)%f[\n]", ""), 1, -2)
	text = string.gsub(text, "\n%s*stack traceback:.*$", " +traceback")
	text = string.gsub(text, "\n\t[^\n]*", "")
	text = string.gsub(text, "cannot open [^\n]*\n?", "cannot open files ")
	text = string.gsub(text, "(cannot open files )[cannot open files ]+$", "%1")
	text = string.gsub(text, "lua call %[%x+ to :%x+ : %d+ msgsz = %d+%]", "lua call [REQUEST]")
	text = string.gsub(text, "session : %d+ from %x+", "session : N from H")
	text = string.gsub(text, "response session %d+ from", "response session N from")
	text = string.gsub(text, "(<TRACE [^>]*>) %d+", "%1 TIME")
	text = string.gsub(text, "\27%[%d*m", "") -- colours
	text = string.gsub(text, "[%w_%-%./@]+%.lua:%d+:? ?", "")
	text = string.gsub(text, "%[string [^%]]*%]:%d+: ?", "")
	text = string.gsub(text, "0x%x+", "0xP")
	text = string.gsub(text, " %(line:%d+%)", "")
	text = string.gsub(text, ":%x%x%x%x%x%x%x%x", ":H")
	text = string.gsub(text, "(127%.0%.0%.1[: ])%d+", "%1PORT")
	text = string.gsub(text, "([Ss]ocket %(?)%d+", "%1N")
	text = string.gsub(text, "fd = %d+", "fd = N")
	text = string.gsub(text, "PORT %(%d+%)", "PORT (N)")
	text = string.gsub(text, " %(%l+ '[^']*'%)", "") -- names of variables
	text = string.gsub(text, ", got [%w ]+%)", ")")
	text = string.gsub(text, "(bad %l* ?argument #%-?%d+) to '[^']*'", "%1")
	return text
end

local function quote(text)
	text = M.normal(text)
	local shown = string.gsub(string.sub(text, 1, LONGEST), "[^ -~]", function(byte)
		return ESCAPES[byte] or string.format("\\x%02x", string.byte(byte))
	end)
	if #text > LONGEST then
		shown = string.format("%s...(%d, %08x)", shown, #text, arguments_of.checksum(text))
	end
	return '"' .. shown .. '"'
end

local render

local function render_table(value, depth, seen)
	if seen[value] then
		return "{again}"
	elseif depth > DEEPEST then
		return "{...}"
	end
	seen[value] = true
	local fields = {}
	for i = 1, rawlen(value) do
		fields[i] = render(rawget(value, i), depth + 1, seen)
	end
	local named = {}
	for key, field in next, value do
		if not (math.type(key) == "integer" and key >= 1 and key <= rawlen(value)) then
			local name = type(key) == "string" and string.find(key, "^[%a_][%w_]*$") and key
				or "[" .. render(key, depth + 1, seen) .. "]"
			named[#named + 1] = name .. "=" .. render(field, depth + 1, seen)
		end
	end
	table.sort(named)
	table.move(named, 1, #named, #fields + 1, fields)
	seen[value] = nil
	return (getmetatable(value) ~= nil and "meta" or "") .. "{" .. table.concat(fields, ",") .. "}"
end

function render(value, depth, seen)
	local kind = type(value)
	if kind == "string" then
		return quote(value)
	elseif math.type(value) == "float" then
		return string.format("%.14g", value) .. "f"
	elseif kind == "number" or kind == "boolean" or kind == "nil" then
		return tostring(value)
	elseif kind == "table" then
		return render_table(value, depth, seen)
	end
	return kind
end

--- A value as text.
function M.render(value)
	return render(value, 1, {})
end

local function render_all(...)
	local values = table.pack(...)
	for i = 1, values.n do
		values[i] = M.render(values[i])
	end
	return values.n == 0 and "nothing" or table.concat(values, " ", 1, values.n)
end

local function outcome(ok, ...)
	if ok then
		return render_all(...)
	elseif type((...)) == "string" then
		return "error " .. quote((...))
	end
	return "error value " .. render_all(...)
end

--- What a call gives, as text: the results, or the error.
function M.observe(func, ...)
	return outcome(pcall(func, ...))
end

local function outcome_types(ok, ...)
	if not ok then
		return outcome(ok, ...)
	end
	local values = table.pack(...)
	for i = 1, values.n do
		values[i] = math.type(values[i]) or type(values[i])
	end
	return values.n == 0 and "nothing" or table.concat(values, " ")
end

--- The same with types in the place of results.
function M.observe_types(func, ...)
	return outcome_types(pcall(func, ...))
end

--- The types of values; of numbers, which of the two.
function M.types(...)
	local list = table.pack(...)
	for i = 1, list.n do
		list[i] = math.type(list[i]) or type(list[i])
	end
	return table.unpack(list, 1, list.n)
end

--- The number of values.
function M.count(...)
	return select("#", ...)
end

---------------------------------------------------------------- records

local UNTIMELY <const> = {
	"^KILL ",
	"^GC [%d.]+ Kb",
	"^socket: error on ",
	"^[Cc]lose socket",
	"^A message to the name ",
	"^Delete a version ",
}

local function is_untimely(line)
	for _, pattern in ipairs(UNTIMELY) do
		if string.find(line, pattern) then
			return true
		end
	end
end

local peers = {}

--- A service that takes part: what it logs belongs to the case during which it does.
function M.peer(address)
	peers[#peers + 1] = address
	return address
end

-- Waits until the peers have done what they were asked.
local function settle()
	for i = #peers, 1, -1 do
		if not pcall(skynet.call, peers[i], "debug", "PING") then
			table.remove(peers, i)
		end
	end
end

-- What has been logged since the last time, without lines that may come before or after others learn of what they tell.
-- Lines of several services come in any order, so they are sorted.
local function logged()
	settle()
	local lines = {}
	for _, line in ipairs(skynet.call(".logger", "lua")) do
		if not is_untimely(line) then
			lines[#lines + 1] = quote(line)
		end
	end
	table.sort(lines)
	return #lines > 0 and " logs " .. table.concat(lines, " ") or ""
end

local watch <const> = package.loaded["differential.watch"] -- in recording runs

local function begin(subject)
	if watch then
		watch.subject = subject
	end
end

--- Prints a record.
function M.record(subject, case, observation)
	-- In one piece, and on a line of its own: other services print meanwhile.
	io.write("\n@ " .. subject .. "\t" .. case .. "\t" .. observation .. "\n")
end

--- Calls a function, and records what it gives and what is logged.
function M.case(subject, case, func, ...)
	begin(subject)
	local observation = M.observe(func, ...)
	M.record(subject, case, observation .. logged())
end

--- What a call gives within so much time (1/100 s): a task of its own makes it.
function M.within(time, func, ...)
	local observation = "waits"
	local arguments = table.pack(...)
	local token = {}
	skynet.fork(function()
		observation = func(table.unpack(arguments, 1, arguments.n))
		skynet.wakeup(token)
	end)
	skynet.sleep(time, token)
	return observation
end

--- The same for a function that may wait for ever: a task of its own gets so much time (1/100 s).
function M.limited(subject, case, time, func, ...)
	begin(subject)
	local observation = M.within(time, M.observe, func, ...)
	M.record(subject, case, observation .. logged())
end

--- The same without the log: where several services tell of the same event, each when it gets to it.
function M.unlogged(subject, case, time, func, ...)
	begin(subject)
	M.record(subject, case, M.within(time, M.observe, func, ...))
end

--- Calls a function in a service of its own, for what may damage the state of a service. The function may use globals only.
function M.apart(subject, case, func)
	local place = M.peer(skynet.newservice "differential_apart")
	local ok, observation = pcall(skynet.call, place, "lua", string.dump(func))
	local lines = string.gsub(logged(), ' "LAUNCH snlua differential_apart"', "", 1)
	skynet.send(place, "debug", "EXIT")
	M.record(subject, case, (ok and observation or "ends the service") .. string.gsub(lines, "^ logs$", ""))
end

--- Forgets what was logged.
function M.quiet()
	logged()
end

local SILENT_LOOKS <const>, MOST_LOOKS <const> = 5, 100

--- Forgets what services log after they have answered: waits until something has been logged, and then until no more comes.
function M.forget()
	local silent, heard = 0, false
	for _ = 1, MOST_LOOKS do
		skynet.sleep(2)
		if logged() ~= "" then
			silent, heard = 0, true
		elseif heard then
			silent = silent + 1
			if silent == SILENT_LOOKS then
				return
			end
		end
	end
end

---------------------------------------------------------------- arguments of all kinds

local RANDOM_CASES <const> = 4

--- Sweeps a function: right arguments, too few, too many, each one wrong, and all at random.
---
--- `arguments` is a function that returns right ones, made anew for each case. Fields of `options`: skip (set of cases that
--- are not run), finish (called after each case), limit (1/100 s, for functions that may wait).
function M.sweep(subject, func, arguments, options)
	options = options or {}
	local skip = options.skip or {}
	local function run(case, ...)
		if skip[case] or skip[string.match(case, "^%a+ ?%d*")] then
			return
		end
		if options.limit then
			M.limited(subject, case, options.limit, func, ...)
		else
			M.case(subject, case, func, ...)
		end
		if options.finish then
			options.finish()
		end
	end
	local count = select("#", arguments())
	run("right", arguments())
	for n = 0, count - 1 do
		run("first " .. n, table.unpack(table.pack(arguments()), 1, n))
	end
	local more = table.pack(arguments())
	more[count + 1] = "surplus"
	run("more", table.unpack(more, 1, count + 1))
	for position = 1, count do
		for kind = 1, arguments_of.KINDS do
			local changed = table.pack(arguments())
			changed[position] = arguments_of.value(kind)
			run(string.format("argument %d %s", position, arguments_of.word(kind)), table.unpack(changed, 1, count))
		end
	end
	local random = arguments_of.random(subject)
	for i = 1, count > 1 and RANDOM_CASES or 0 do
		local mixed = {}
		for position = 1, count do
			mixed[position] = arguments_of.value(random(arguments_of.KINDS))
		end
		run("random " .. i, table.unpack(mixed, 1, count))
	end
end

local function as_they_are(...)
	return ...
end

--- Texts as messages: the protocol "text", with a handler or without one.
function M.texts(handler)
	skynet.register_protocol {
		name = "text",
		id = skynet.PTYPE_TEXT,
		pack = as_they_are,
		unpack = skynet.tostring,
		dispatch = handler,
	}
end

--- Waits until a condition holds; whether it does within so much time (1/100 s).
function M.eventually(condition, time)
	for _ = 1, time or 300 do
		if condition() then
			return true
		end
		skynet.sleep(1)
	end
	return false
end

--- Runs a suite and ends the node.
function M.run(suite)
	skynet.start(function()
		io.stdout:setvbuf "line"
		skynet.call(".launcher", "debug", "PING") -- it logs that it has started this
		logged()
		local ok, problem = xpcall(suite, debug.traceback)
		if not ok then
			io.write("\nFAILED " .. tostring(problem) .. "\n")
		end
		if watch then
			watch.list()
		end
		io.write "\n@@ done\n"
		io.stdout:flush()
		os.exit(ok, false) -- whatever the suite has left behind
	end)
end

--- A function that returns these values.
function M.gives(...)
	local values = table.pack(...)
	return function()
		return table.unpack(values, 1, values.n)
	end
end

return M
