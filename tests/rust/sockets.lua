-- Sockets of a service in Rust: public codecs, peers of all sorts, limits, ends. The peers are blocking sockets on other threads.
local skynet = require "skynet"
local check = require "check"
require "skynet.manager"

local cases = {}

local function with_sockets(func)
	local sockets = skynet.launch "rs_sockets"
	func(function(...)
		return skynet.call(sockets, "lua", ...)
	end, sockets)
	skynet.kill(sockets)
end

function cases.public_codecs_and_protocols_work()
	with_sockets(function(call)
		check.equal(call "lines", { "ONE", "TWO", "THREE", "300000" })
		check.equal({ call "http" }, { "/path", "HTTP/1.1 204 No Content\r\n\r\n" })
		check.equal(call "websocket", { "one!", "二!" })
	end)
end

function cases.a_peer_that_ends_its_writing_gets_an_answer()
	with_sockets(function(call)
		local all, answer = call "half_close"
		check.equal(all, "all of it")
		-- Releases before v1.5.0 close such a socket.
		assert(answer == "bye" or answer == "gone" and not check.ours, answer)
	end)
end

function cases.a_peer_that_vanishes_ends_reading_and_writing()
	with_sockets(function(call)
		check.equal({ call "vanish" }, { true, true })
	end)
end

function cases.a_peer_that_does_not_read_holds_the_writer_up()
	with_sockets(function(call)
		local bytes = 64 << 20
		local written, all_came = call("slow_reader", bytes)
		assert(written < bytes // 2, written)
		check.equal(all_came, true)
	end)
end

function cases.a_peer_that_sends_too_much_has_to_wait()
	with_sockets(function(call, sockets)
		local bytes = 64 << 20
		local ok, waiting, all_came = pcall(skynet.call, sockets, "lua", "fast_writer", bytes)
		if ok then
			assert(waiting < bytes // 4, waiting)
			check.equal(all_came, true)
		else
			-- Before v1.4.0 the limit is refused, with a line in the log.
			assert(not check.ours)
		end
	end)
end

function cases.a_connection_that_is_refused_is_an_error()
	with_sockets(function(call)
		check.equal(call "refused", "ConnectionRefused")
	end)
end

function cases.a_connection_goes_from_service_to_service()
	with_sockets(function(call)
		local other = skynet.launch "rs_sockets"
		check.equal(call("handed_over", other), "hello there")
		skynet.kill(other)
	end)
end

function cases.a_service_that_is_killed_leaves_no_socket()
	with_sockets(function(call)
		check.equal(call "killed", true)
	end)
end

function cases.datagrams_come_and_go()
	with_sockets(function(call)
		check.equal(call "datagrams", { "one", "three", "two" })
		local got = call "dial"
		assert(got == "dialled" or not check.ours and got:find("skynet_socket_udp_dial", 1, true), got)
	end)
end

check.run(cases)
