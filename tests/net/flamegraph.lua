-- The flame graph of a service whose functions have names that XML has no way to write, as Python's parser of XML reads it.
local skynet = require "skynet"
local httpc = require "http.httpc"
local check = require "check"

local cases = {}

-- Names of functions: fields of a table.
local NAMES <const> = {
	"plain",
	"\u{FFFE}\u{FFFF}",
	"\1\8\31\127",
	"<&\"'>]]>",
	"\xed\xa0\x80 \xff",
	"中文 \u{10FFFF}\u{85}",
}

-- Functions with these names, each of which allocates.
local function named()
	local functions = {}
	for i, name in ipairs(NAMES) do
		local code = string.format("local t = ... return function() t[%q]() end", name)
		local t = {
			[name] = function()
				local _ = string.rep("x", 1000 + i)
			end,
		}
		functions[i] = assert(load(code, "=" .. name))(t)
	end
	return functions
end

function cases.any_name_is_read_by_a_parser_of_xml()
	local functions = named()
	local host = "127.0.0.1:" .. skynet.call(skynet.newservice("metrics", 0), "lua", "port")
	local done
	skynet.fork(function()
		while not done do
			for _, f in ipairs(functions) do
				f()
			end
			skynet.sleep(1)
		end
	end)
	local target = "/profile?seconds=1&kind=alloc&every=256&service=" .. skynet.address(skynet.self())
	local code, svg = httpc.request("GET", host, target)
	done = true
	check.equal(code, 200, svg)
	local path = os.tmpname()
	local file <close> = assert(io.open(path, "wb"))
	file:write(svg)
	file:close()
	local reader <close> = assert(
		io.popen(
			string.format("%s %s/flamegraph_reader.py %s 2>&1", skynet.getenv "python", skynet.getenv "scripts", path)
		)
	)
	local answer = reader:read "a"
	os.remove(path)
	check.equal(answer, string.format("%d\n", #NAMES))
end

check.run(cases)
