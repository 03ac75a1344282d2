-- The API is not run anew in every service, but copied: that must not make a difference.
local skynet = require "skynet"
local check = require "check"

local cases = {}

-- A new service that has changed its VM in that way, before it asked for the API.
local function service(change)
	return skynet.newservice("layer_service", change)
end

local function ask(address, ...)
	return skynet.call(address, "lua", ...)
end

function cases.a_copy_is_what_running_the_modules_gives()
	check.equal(ask(service "nothing", "compare"), true)
	check.equal(ask(service "disk", "compare"), true)
end

function cases.files_on_disk_are_copied_too()
	check.equal(ask(service "nothing", "copied"), true)
	local disk = service "disk"
	check.equal(ask(disk, "copied"), true)
	local source = ask(disk, "source")
	assert(string.find(source, "^@.*/%.%./lualib/skynet/internal/calls%.lua$"), source)
end

function cases.services_do_not_see_each_others_changes()
	local first, second = service "nothing", service "nothing"
	ask(first, "mark")
	check.equal({ ask(first, "marked") }, { true, true })
	check.equal({ ask(second, "marked") }, { false, false })
	check.equal(skynet.mark, nil)
end

function cases.functions_that_a_service_has_replaced_are_used()
	assert(ask(service "coroutine", "created") > 0)
end

function cases.names_that_a_service_has_removed_are_missing()
	check.equal(ask(service "pcall", "pcall"), false)
end

function cases.a_preloaded_kernel_wins()
	check.equal(ask(service "preload", "kernel"), "preloaded")
end

function cases.a_kernel_found_earlier_wins()
	check.equal(ask(service "path", "kernel"), "found")
end

function cases.with_a_hook_the_modules_run()
	assert(ask(service "hook", "lines") > 100)
end

function cases.cleared_code_is_read_again()
	check.equal(ask(service "disk", "copied"), true)
	skynet.cache.clear()
	check.equal(ask(service "disk", "copied"), true)
	check.equal(ask(service "disk", "compare"), true)
end

function cases.without_the_cache_the_modules_run()
	check.equal(ask(service "uncached", "copied"), false)
end

function cases.copies_outlive_a_collection()
	local address = service "nothing"
	for _ = 1, 3 do
		check.equal(ask(address, "collect"), "still here")
	end
end

check.run(cases)
