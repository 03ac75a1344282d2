local snax = require "skynet.snax"

local total

local function add(n)
	total = total + n
	return total
end

function response.add(n)
	return add(n)
end

function response.total()
	return total
end

function response.echo(...)
	return ...
end

function response.fail()
	error "as asked"
end

function response.who()
	local me = snax.self()
	return me.type, me.handle
end

function accept.reset(n)
	total = n
end

function init(n)
	total = n + 0
end

function exit(word)
	assert(word == "bye")
end
