-- Players in a database: the only service that knows SQL. The others call functions of the game.
local skynet = require "skynet"
local mysql = require "skynet.db.mysql"

local pool -- of connections: as many queries run at the same time
local command = {}

-- Errors of the server are results; here they shall be errors.
local function check(result)
	if result.badresult then
		error(result.err)
	end
	return result
end

-- Runs a statement with arguments. They do not become part of the SQL, so no text can do harm.
local function run(db, sql, ...)
	local statement = check(db:prepare(sql))
	local result = db:execute(statement, ...)
	db:stmt_close(statement)
	return check(result)
end

function command.add(name, coins)
	return pool:use(function(db)
		local ok, result = pcall(run, db, "insert into players (name, coins) values (?, ?)", name, coins)
		if ok then
			return result.insert_id
		end
		return false, (string.match(result, "Duplicate entry '.-'"))
	end)
end

-- Both changes happen, or none. A transaction belongs to one connection: `use` gives it to nobody else meanwhile.
function command.give(from, to, coins)
	return pool:use(function(db)
		check(db:query "start transaction")
		local taken = run(db, "update players set coins = coins - ? where name = ? and coins >= ?", coins, from, coins)
		local given = run(db, "update players set coins = coins + ? where name = ?", coins, to)
		if taken.affected_rows == 1 and given.affected_rows == 1 then
			check(db:query "commit")
			return true
		end
		check(db:query "rollback")
		return false
	end)
end

function command.richest(count)
	return pool:use(run, "select name, coins from players order by coins desc limit ?", count)
end

function command.clean()
	return pool:use(run, "drop table players")
end

skynet.start(function()
	pool = mysql.pool {
		host = "127.0.0.1",
		port = tonumber(skynet.getenv "mysql_port"),
		user = skynet.getenv "mysql_user",
		password = skynet.getenv "mysql_password",
		database = skynet.getenv "mysql_database",
		charset = "utf8mb4",
		size = 4,
	}
	pool:use(function(db)
		check(db:query [[
			create or replace table players (
				id int unsigned auto_increment primary key,
				name varchar(40) not null unique,
				coins int not null
			)]])
		print("connected with server", db:server_ver())
	end)
	skynet.dispatch("lua", function(_, _, what, ...)
		skynet.retpack(command[what](...))
	end)
end)
