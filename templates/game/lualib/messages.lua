-- What players and the server say to each other, in sproto. The numbers are tags: a field may be added later, with a new
-- number, and old clients go on to work.
local messages = {}

-- Slots of sprotoloader, which all services of the node share.
messages.FROM_CLIENT, messages.FROM_SERVER = 1, 2

local PACKAGE <const> = [[
.package {            # the header of each message
	type 0 : integer
	session 1 : integer
}
]]

messages.from_client = PACKAGE
	.. [[
join 1 {
	request {
		name 0 : string
	}
	response {
		ok 0 : boolean
		problem 1 : string
		players 2 : *string
	}
}

guess 2 {
	request {
		number 0 : integer
	}
	response {
		answer 0 : string   # "low", "high", "right" or "join first"
	}
}
]]

messages.from_server = PACKAGE .. [[
news 1 {
	request {
		text 0 : string
	}
}
]]

return messages
