-- The layer and the modules of the executable in a VM that a service of the project's own has made (test-c/modules/ownvm.c).
local check = require "check"
local skynet = require "skynet"

local cases = {}

function cases.the_vm_is_the_projects_own()
	check.equal(OWN_VM, "yes")
end

function cases.modules_in_rust_are_found()
	check.equal(require "md5".sumhexa "a", "0cc175b9c0f1b6a831c399e269772661")
	check.equal(require "skynet.crypt".hexencode "\1\2", "0102")
	check.equal(skynet.unpack(skynet.pack(1, "two")), 1)
end

function cases.services_of_the_layer_are_found()
	local sharedata = require "skynet.sharedata"
	sharedata.new("things", { a = 1 })
	check.equal(sharedata.query("things").a, 1)
	local datacenter = require "skynet.datacenter"
	datacenter.set("key", 5)
	check.equal(datacenter.get "key", 5)
end

function cases.tasks_sleep_and_wake()
	local order = {}
	skynet.fork(function()
		order[#order + 1] = "fork"
	end)
	skynet.sleep(1)
	check.equal(order, { "fork" })
end

function cases.files_that_a_script_asks_for_have_to_exist()
	local chunk, problem = loadfile "./lualib/loader.lua"
	check.equal(chunk, nil)
	check.equal(string.find(problem, "cannot open ./lualib/loader.lua", 1, true), 1)
end

check.run(cases)
