-- A snax service: what it answers stands in `response`, what it only takes in `accept`.
local skynet = require "skynet"

local balance = {} -- name -> coins
local currency

function init(name) -- arguments of snax.newservice
	currency = name
end

function exit(word) -- arguments of snax.kill
	skynet.error("the bank closes:", word)
end

local function withdraw(name, coins)
	balance[name] = (balance[name] or 0) - coins
	return balance[name]
end

function response.withdraw(name, coins)
	return withdraw(name, coins)
end

function response.balance(name)
	return string.format("%d %s", balance[name] or 0, currency)
end

function accept.deposit(name, coins)
	balance[name] = (balance[name] or 0) + coins
end
