-- skynet.socketchannel, for the suite of sockets.
local skynet = require "skynet"
local sweep = require "sweep"
local socket = require "skynet.socket"
local socketchannel = require "skynet.socketchannel"

local LIMIT <const> = 100 -- 1/100 s

local function case(subject, name, func, ...)
	sweep.limited(subject, name, LIMIT, func, ...)
end

local eventually <const> = sweep.eventually
local serve -- the suite's function that listens

-- Answers each line by "<" and the line; "quit" closes, "silent" is not answered.
local function line_server()
	return serve(function(id)
		socket.start(id)
		while true do
			local line = socket.readline(id, "\n")
			if not line or line == "quit" then
				break
			elseif line == "two" then
				socket.write(id, "<first\n<second\n")
			elseif line ~= "silent" then
				socket.write(id, "<" .. line .. "\n")
			end
		end
		socket.close(id)
	end)
end

local function channels_that_move(host, port, read_line, channel)
	case("skynet.socketchannel.changehost", "connects anew", function()
		local moving = socketchannel.channel { host = "127.0.0.1", port = 1 }
		local backups, results =
			select("#", moving:changebackup { "127.0.0.1" }), select("#", moving:changehost(host, port))
		local answer = moving:request("moved\n", read_line)
		moving:close()
		return backups, results, answer
	end)
	case("skynet.socketchannel.request", "the other side closes", channel.request, channel, "quit\n", read_line)
	case("skynet.socketchannel.request", "the error is the module's", function()
		local ok, problem = pcall(channel.request, channel, "quit\n", read_line)
		return ok, problem == socketchannel.error, getmetatable(problem) == getmetatable(socketchannel.error)
	end)
	case("skynet.socketchannel.request", "connects again", channel.request, channel, "z\n", read_line)
	case("skynet.socketchannel.request", "nothing", channel.request, channel)
	case("skynet.socketchannel.response", "on a channel in order", channel.response, channel, read_line)
	case("skynet.socketchannel.close", "right", channel.close, channel)
	case("skynet.socketchannel.request", "closed", channel.request, channel, "again\n", read_line)
	case("skynet.socketchannel.close", "twice", function()
		return channel:close(), channel:close()
	end)
	case("skynet.socketchannel.connect", "right", function()
		local other = socketchannel.channel { host = host, port = port }
		local results = table.pack(other:connect())
		local again = table.pack(other:connect(true))
		other:close()
		return results, again
	end)
end

local function requests_of_channels(host, port, read_line, channel)
	case("skynet.socketchannel.channel", "shape", function()
		local names = {}
		for name, value in pairs(channel) do
			names[#names + 1] = name .. " " .. type(value)
		end
		table.sort(names)
		return type(getmetatable(channel))
	end)
	for _, name in ipairs {
		"connect",
		"request",
		"response",
		"close",
		"changehost",
		"changebackup",
		"onclose",
		"read",
		"readline",
	} do
		sweep.record("skynet.socketchannel.channel", "method " .. name, type(channel[name]))
	end
	case("skynet.socketchannel.request", "connects", channel.request, channel, "one\n", read_line)
	case("skynet.socketchannel.request", "again", channel.request, channel, "two times\n", read_line)
	case("skynet.socketchannel.request", "two answers", function()
		return channel:request("two\n", function(sock)
			return true, { sock:readline "\n", sock:readline "\n" }
		end)
	end)
	case("skynet.socketchannel.request", "reader says no", channel.request, channel, "x\n", function(sock)
		return false, sock:readline "\n"
	end)
	case("skynet.socketchannel.request", "reader fails", channel.request, channel, "x\n", function(sock)
		sock:readline "\n"
		error "of the reader"
	end)
	case("skynet.socketchannel.request", "after that", channel.request, channel, "y\n", read_line)
	case("skynet.socketchannel.request", "several results", channel.request, channel, "y\n", function(sock)
		return true, sock:readline "\n", "second"
	end)
	case("skynet.socketchannel.request", "without an answer", channel.request, channel, "silent\n")
	case("skynet.socketchannel.request", "order", function()
		local answers = {}
		for i = 1, 5 do
			skynet.fork(function()
				answers[#answers + 1] = channel:request(i .. "\n", read_line)
			end)
		end
		eventually(function()
			return #answers == 5
		end)
		return answers
	end)
	channels_that_move(host, port, read_line, channel)
end

local function channels_without_a_server(read_line, channel)
	case("gone", "channel request", channel.request, channel, "x\n", read_line)
	case("gone", "channel connect", channel.connect, channel)
	case("gone", "channel connect once", channel.connect, channel, true)
	case("gone", "channel close", channel.close, channel)
	case("skynet.socketchannel.channel", "nothing", socketchannel.channel)
	case("skynet.socketchannel.channel", "empty", function()
		return type(socketchannel.channel {})
	end)
	case("skynet.socketchannel.error", "text", function()
		return tostring(socketchannel.error)
	end)
end

local function channels_with_sessions(read_line)
	-- Answers with the number in front: out of order.
	local session_listener, session_host, session_port = serve(function(id)
		socket.start(id)
		local kept = {}
		while true do
			local line = socket.readline(id, "\n")
			if not line then
				break
			end
			kept[#kept + 1] = line
			if #kept == 2 then
				socket.write(id, kept[2] .. "\n" .. kept[1] .. "\n")
				kept = {}
			end
		end
		socket.close(id)
	end)
	case("skynet.socketchannel.request", "by session", function()
		local by_session = socketchannel.channel {
			host = session_host,
			port = session_port,
			response = function(sock)
				local session, text = string.match(sock:readline "\n", "(%d+) (.*)")
				return tonumber(session), text ~= "bad", text
			end,
		}
		local answers = {}
		for i, word in ipairs { "first", "second", "bad", "fourth" } do
			skynet.fork(function()
				answers[i] = sweep.observe(by_session.request, by_session, i .. " " .. word .. "\n", i)
			end)
			skynet.sleep(1)
		end
		eventually(function()
			return answers[4] and answers[3]
		end)
		by_session:close()
		return answers
	end)
	case("skynet.socketchannel.auth", "right", function()
		local greeted
		local other_listener, other_host, other_port = line_server()
		local other = socketchannel.channel {
			host = other_host,
			port = other_port,
			auth = function(self)
				greeted = self:request("hello\n", read_line)
			end,
		}
		local answer = other:request("x\n", read_line)
		other:close()
		socket.close(other_listener)
		return greeted, answer
	end)
	case("skynet.socketchannel.auth", "fails", function()
		local other_listener, other_host, other_port = line_server()
		local other = socketchannel.channel {
			host = other_host,
			port = other_port,
			auth = function()
				error "no entry"
			end,
		}
		local ok, problem = pcall(other.connect, other, true)
		other:close()
		socket.close(other_listener)
		return ok, problem == socketchannel.error, tostring(problem)
	end)
	socket.close(session_listener)
end

local function channels()
	local listener, host, port = line_server()
	local function read_line(sock)
		return true, sock:readline "\n"
	end
	local channel = socketchannel.channel { host = host, port = port }
	requests_of_channels(host, port, read_line, channel)
	socket.close(listener)
	skynet.sleep(1)
	channels_without_a_server(read_line, channel)
	channels_with_sessions(read_line)
end

return function(its_serve)
	serve = its_serve
	channels()
end
