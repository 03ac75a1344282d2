-- Uses the service `players`, which keeps players in MySQL or MariaDB.
local skynet = require "skynet"
require "skynet.manager" -- skynet.abort

skynet.start(function()
	local started, players = pcall(skynet.newservice, "players")
	if not started then
		print "no database: see the log above"
		return skynet.abort()
	end
	local function ask(...)
		return skynet.call(players, "lua", ...)
	end

	print("Alice is number", ask("add", "Alice", 250))
	print("Bob is number", ask("add", "Bob", 75))
	print("Alice again:", ask("add", "Alice", 1))
	print("a strange name is number", ask("add", "x'); drop table players; --", 0))

	print("Alice gives 100 to Bob:", ask("give", "Alice", "Bob", 100))
	print("Alice gives 1000 to Bob:", ask("give", "Alice", "Bob", 1000))
	for place, row in ipairs(ask("richest", 2)) do
		print(place, row.name, row.coins)
	end
	ask "clean"
	print "mysql is done"
	skynet.abort()
end)
