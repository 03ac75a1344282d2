-- A hot fix of the bank: nobody may withdraw more than there is. It replaces one function of the running service.
--
-- `balance` and `currency` below stand for the locals of bank.lua of the same name: a fix declares the ones it
-- uses, and gets the values that the service has now.
local balance
local currency

function response.withdraw(name, coins)
	local have = balance[name] or 0
	if coins > have then
		error(string.format("%s has only %d %s", name, have, currency))
	end
	balance[name] = have - coins
	return balance[name]
end

-- Runs once, inside of the service; its results are those of snax.hotfix. Here it repairs the damage.
function hotfix()
	local repaired = 0
	for name, coins in pairs(balance) do
		if coins < 0 then
			balance[name] = 0
			repaired = repaired + 1
		end
	end
	return repaired
end
