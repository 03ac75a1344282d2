-- The rules of the game, without any network: fakes stand for the agents, and remember what they were told.
local skynet = require "skynet"
local test = require "skynet.test"

local ROUND <const> = 60 -- seconds
local world

test.before(function()
	world = test.service("world", ROUND, 42)
end)

-- A player, whose agent is a fake. The world knows agents by the source of their messages, so the fake itself has to ask.
local function join(name)
	local agent = test.fake(nil, { tell = true })
	agent:ask(world, "join", name)
	return agent
end

local function heard(agent)
	local texts = {}
	for i, call in ipairs(agent.calls) do
		texts[i] = call[1]
	end
	return texts
end

test("a guess is low, high or right", function()
	local alice = join "Alice"
	test.equal(alice:ask(world, "guess", "Alice", 10), "low")
	test.equal(alice:ask(world, "guess", "Alice", 50), "high")
	test.equal(alice:ask(world, "guess", "Alice", 42), "right")
end)

test("everybody hears who has found the number", function()
	local alice, bob = join "Alice", join "Bob"
	bob:ask(world, "guess", "Bob", 42)
	test.wait_for(function()
		return #alice.calls == 2 and #bob.calls == 1
	end)
	test.equal(heard(alice), { "Bob comes in", "Bob has found 42, and has 1 points" })
end)

test("a name is one player's", function()
	join "Alice"
	test.equal({ skynet.call(world, "lua", "join", "Alice") }, { false, "the name is taken" })
end)

test("a number that nobody finds is replaced when the round is over", { limit = 2 * ROUND }, function()
	test.needs_virtual_time() -- `skynet test --virtual-time`: the minute takes milliseconds
	local alice = join "Alice"
	skynet.sleep(ROUND * 100 + 1) -- 1/100 s
	test.equal(heard(alice), { "nobody has found it: it was 42" })
end)
