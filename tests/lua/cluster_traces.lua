-- Requests of other nodes that ask to be traced.
local skynet = require "skynet"
local socket = require "skynet.socket"
local check = require "check"
local nodes = require "cluster_nodes"

local cases = {}
local SELF <const> = nodes.SELF
local peer, open, read_packet = nodes.peer, nodes.open, nodes.read_packet

local function trace(tag)
	return string.pack(">s2", "\4" .. tag)
end

local function log_lines(from)
	return require("cjson").decode(require("skynet.core").command("LOGLINES", tostring(from)))
end

-- Waits for a line of the log with that text. Yields.
local function await_line(from, text)
	check.await(function()
		for _, entry in ipairs(log_lines(from).lines) do
			if string.find(entry[4], text, 1, true) then
				return true
			end
		end
	end)
end

-- Sends a request with each of the tags, and awaits the answers.
local function ask_with_tags(p, tags)
	local fd = assert(socket.open(SELF))
	local message = skynet.packstring("echo", 1)
	for session, tag in ipairs(tags) do
		socket.write(fd, trace(tag) .. string.pack(">s2", string.pack("<BI4I4", 0, p, session) .. message))
	end
	for _ = 1, #tags do
		local _, kind = string.unpack("<I4B", read_packet(fd))
		check.equal(kind, 1)
	end
	socket.close(fd)
end

function cases.strangers_who_ask_for_traces_do_not_fill_the_log()
	open()
	local p = peer()
	local from = log_lines(0).next -- lines are kept from now on
	local start = skynet.now()
	local tags = {}
	for i = 1, 2000 do
		tags[i] = "(a-b-" .. i .. "):0000000a-1"
	end
	check.together(2, function()
		ask_with_tags(p, tags)
	end)
	local most = 50 * ((skynet.now() - start) // 100 + 2) -- traced ones
	await_line(from, "asks for more traces than there may be (cluster_trace = 50 a second)")
	await_line(from, "tracecall begin")
	local lines = log_lines(from).next - from
	assert(lines <= 5 * most + 50, lines)
end

function cases.a_trace_tag_is_as_long_as_those_of_nodes()
	open()
	local p = peer()
	local from = log_lines(0).next
	local long = string.rep("t", 257)
	ask_with_tags(p, { long, string.rep("\1", 65) })
	await_line(from, "has sent a trace tag of 257 bytes: requests with such a tag are not traced")
	local tag = string.rep("u", 256)
	check.await(function() -- others may have been traced in this second
		ask_with_tags(p, { tag })
		for _, entry in ipairs(log_lines(from).lines) do
			if string.find(entry[4], "<TRACE " .. tag .. "> ", 1, true) then
				return true
			end
		end
	end)
	for _, entry in ipairs(log_lines(from).lines) do
		local traced = string.match(entry[4], "^<TRACE (.)")
		assert(traced ~= "t" and traced ~= "\\", entry[4])
	end
end

check.run(cases)
