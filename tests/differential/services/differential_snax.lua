-- A snax service for the sweep.
local skynet = require "skynet"

local hello = "hello"

function response.echo(...)
	return ...
end

function response.fail(text)
	error(text)
end

function response.sleep(time, ...)
	skynet.sleep(time)
	return ...
end

function response.hello()
	return hello
end

function accept.note(word)
	hello = word
end

function accept.fail()
	error "of a post"
end

function accept.exit()
	require "skynet.snax".exit("bye")
end

function init(...)
	if ... == "fail" then
		error "init fails"
	elseif ... == "cluster" then
		require "skynet.snax".enablecluster()
	end
end

function exit(...)
	skynet.error("exit of snax", ...)
end
