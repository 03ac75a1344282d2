-- skynet.cluster.core, for the suite of codecs.
local skynet = require "skynet"
local sweep = require "sweep"

local gives = sweep.gives

local function packed_requests(pack)
	for _, name in ipairs { "packrequest", "packpush" } do
		for _, address in ipairs { 1, "service", "@name", -1 } do
			for _, session in ipairs { 1, 7 } do
				sweep.case("skynet.cluster.core." .. name, sweep.render(address) .. " session " .. session, function()
					return pack(name, address, session, skynet.pack("hello", 1))
				end)
			end
		end
		sweep.case("skynet.cluster.core." .. name, "large", function()
			local packet, session, parts = pack(name, 1, 1, skynet.pack(string.rep("x", 100000)))
			local sizes = {}
			for i, part in ipairs(parts) do
				sizes[i] = #part
			end
			return packet, session, sizes
		end)
		sweep.case("skynet.cluster.core." .. name, "session 0", function()
			return pack(name, 1, 0, skynet.pack "x")
		end)
		sweep.case("skynet.cluster.core." .. name, "no address", function()
			return pack(name, nil, 1, skynet.pack "x")
		end)
		sweep.case("skynet.cluster.core." .. name, "empty name", function()
			return pack(name, "", 1, skynet.pack "x")
		end)
		sweep.case("skynet.cluster.core." .. name, "text message", function()
			return pack(name, 1, 1, "text")
		end)
	end
end

local function cluster()
	local core = require "skynet.cluster.core"
	local function bytes(pointer, size, ...)
		local text = skynet.tostring(pointer, size)
		skynet.trash(pointer, size)
		return text, ...
	end
	local function pack(name, ...)
		local first, second, third = core[name](...)
		return first, second, third
	end
	packed_requests(pack)
	sweep.sweep("skynet.cluster.core.packtrace", core.packtrace, gives "tag")
	sweep.sweep("skynet.cluster.core.isname", core.isname, gives "@name")
	sweep.case("skynet.cluster.core.isname", "plain", core.isname, "name")
	sweep.case("skynet.cluster.core.nodename", "type", function()
		return type(core.nodename())
	end)
	for _, ok in ipairs { true, false } do
		for name, value in pairs { text = "answer", empty = "", number = 5, table = {}, large = string.rep("y", 70000) } do
			sweep.case("skynet.cluster.core.packresponse", name .. " " .. tostring(ok), function()
				local packet = core.packresponse(9, ok, value)
				if type(packet) == "table" then
					local sizes = {}
					for i, part in ipairs(packet) do
						sizes[i] = #part
					end
					return sizes
				end
				return packet, core.unpackresponse(string.sub(packet, 3))
			end)
		end
	end
	for name, text in pairs {
		empty = "",
		short = "ab",
		request = "\0\1\0\0\0\2\0\0\0text",
		named = "\x80\3abc\2\0\0\0text",
		unknown = "\xee1234567890",
		push = "\0\1\0\0\0\0\0\0\0text",
		large = "\1\1\0\0\0\2\0\0\0\0\0\1\0",
		part = "\2\2\0\0\0text",
		last = "\3\2\0\0\0text",
		trace = "\4tag",
		named_large = "\x81\3abc\2\0\0\0\0\0\1\0",
		cut = "\0\1\0\0",
		named_cut = "\x80\9abc",
	} do
		sweep.case("skynet.cluster.core.unpackrequest", name, function()
			local address, session, pointer, size, padding, push = core.unpackrequest(text)
			if type(pointer) == "userdata" then
				pointer = bytes(pointer, size)
			end
			return address, session, pointer, size, padding, push
		end)
	end
	for name, text in pairs {
		empty = "",
		short = "\1\0\0\0",
		ok = "\1\0\0\0\1text",
		failed = "\1\0\0\0\0text",
		begin = "\1\0\0\0\2\0\0\1\0",
		part = "\1\0\0\0\3text",
		last = "\1\0\0\0\4text",
		unknown = "\1\0\0\0\9text",
	} do
		sweep.case("skynet.cluster.core.unpackresponse", name, core.unpackresponse, text)
	end
	sweep.sweep("skynet.cluster.core.unpackresponse", core.unpackresponse, gives "\1\0\0\0\1text")
	sweep.case("skynet.cluster.core.append", "no table", core.append, "x")
	sweep.case("skynet.cluster.core.concat", "no table", core.concat, "x")
	sweep.case("skynet.cluster.core.concat", "empty", core.concat, {})
	sweep.case("skynet.cluster.core.concat", "parts", function()
		local list = { 8 }
		core.append(list, skynet.pack "abcd")
		local size = list[2]
		return #list, type(size)
	end)
end

return cluster
