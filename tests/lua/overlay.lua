-- Files of a project in the place of single ones of the layer (tests/node/foreign.rs makes them), the rest from inside of the
-- executable.
local check = require "check"
local skynet = require "skynet"

local cases = {}

function cases.the_files_of_the_project_win()
	check.equal(skynet.overlay, true)
	check.equal(package.loaded["skynet.require"].overlay, true)
end

function cases.modules_of_the_executable_have_a_file_name_where_they_are_looked_for()
	local file = package.searchpath("skynet.sharedata", package.path)
	check.equal(file, "embedded/lualib/skynet/sharedata.lua")
	check.equal(type(loadfile(file)), "function")
	check.equal((package.searchpath("skynet.sharedata", "./?.lua")), nil)
	check.equal((package.searchpath("skynet.nosuch", package.path)), nil)
	check.equal((loadfile "embedded/lualib/nosuch.lua"), nil)
	check.equal((package.searchpath("skynet.socket", package.path)), skynet.getenv "overlay" .. "/skynet/socket.lua")
end

-- Loaded in a task, these call services before they are complete.
function cases.modules_that_wait_are_loaded_by_another_require()
	local sharedata = require "skynet.sharedata"
	sharedata.new("things", { a = 1 })
	check.equal(sharedata.query("things").a, 1)
	local multicast = require "skynet.multicast"
	check.equal(type(multicast.new().channel), "number")
end

function cases.services_of_the_layer_start()
	local datacenter = require "skynet.datacenter"
	datacenter.set("key", 5)
	check.equal(datacenter.get "key", 5)
end

check.run(cases)
