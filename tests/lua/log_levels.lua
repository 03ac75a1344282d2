-- skynet.log: lines with a level.
local skynet = require "skynet"
local log = require "skynet.log"
local check = require "check"

local cases = {}

-- What `skynet.error` writes while func runs.
local function written(func)
	local lines, plain = {}, skynet.error
	skynet.error = function(...) ---@diagnostic disable-line: duplicate-set-field
		local words = table.pack(...)
		for i = 1, words.n do
			words[i] = tostring(words[i])
		end
		lines[#lines + 1] = table.concat(words, " ")
	end
	local ok, problem = pcall(func)
	skynet.error = plain
	check.equal({ ok, problem }, { true })
	return lines
end

local function write_all()
	log.debug("a", 1)
	log.info("b", nil, true)
	log.warning "c"
	log.error("d", { 1 } and "e")
end

function cases.lines_below_the_level_are_not_written()
	local expected = { "debug: a 1", "info: b nil true", "warning: c", "error: d e" }
	check.equal(log.level(), "info")
	for i, level in ipairs { "debug", "info", "warning", "error", "off" } do
		log.set_level(level)
		check.equal(log.level(), level)
		check.equal(written(write_all), table.move(expected, i, 4, 1, {}))
	end
	check.equal(log.set_level "info", "off")
end

function cases.values_that_are_functions_are_called_when_the_line_is_written()
	local calls = 0
	local function costly()
		calls = calls + 1
		return "made"
	end
	check.equal(
		written(function()
			log.debug("x", costly)
			log.info("x", costly, "y")
		end),
		{ "info: x made y" }
	)
	check.equal(calls, 1)
	check.equal({ log.writes "debug", log.writes "info" }, { false, true })
end

function cases.words_that_are_no_level_are_refused()
	check.raises("log level loud: one of debug, info, warning, error, off", log.set_level, "loud")
	check.raises("log level nil", log.set_level, nil)
	check.equal(log.level(), "info")
end

function cases.level_of_a_service_changes_from_outside()
	check.equal(skynet.call(skynet.self(), "debug", "LOGLEVEL"), "info")
	check.equal(skynet.call(skynet.self(), "debug", "LOGLEVEL", "debug"), "debug")
	check.equal(log.level(), "debug")
	check.equal(
		{ skynet.call(skynet.self(), "debug", "LOGLEVEL", "loud") },
		{ nil, "log level loud: one of debug, info, warning, error, off" }
	)
	log.set_level "info"
end

check.run(cases)
