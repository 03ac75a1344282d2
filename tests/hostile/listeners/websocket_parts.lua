-- The same server; what strangers send is parts of a message that has no end.

local websocket = require "listeners.websocket"

return {
	stays = true,
	bytes = {
		hello = websocket.bytes.hello .. "\x02\x80abcd", -- a message begins, with nothing in it
		cheapest = "\x00\x80abcd",
		slow = websocket.bytes.slow,
		huge = websocket.bytes.hello .. "\x02\xff\x7f\xff\xff\xff\xff\xff\xff\xffabcdx",
	},
	start = websocket.start,
	open = websocket.open,
}
