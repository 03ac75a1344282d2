-- skynet.db.mysql against a MariaDB server: setting mysql_port; user "me" with "secret", user "nobody"
-- without a password, database "game".
-- What the C project's module does otherwise: numbers that Lua does not have are rounded or wrap; no decimals, times and
-- fractions of a second in the binary protocol; no packets of 16 MiB and more; the message of a write begins with its length;
-- several results of a prepared statement are named `mulitresultset` only; there are no pools.
local skynet = require "skynet"
local mysql = require "skynet.db.mysql"
local check = require "check"
local abandon = require "abandon"

local cases = {}

local function options(changes)
	local all = {
		host = "127.0.0.1",
		port = tonumber(skynet.getenv "mysql_port"),
		user = "me",
		password = "secret",
		database = "game",
		charset = "utf8mb4",
	}
	for name, value in pairs(changes or {}) do
		all[name] = value
	end
	return all
end

local function connect(changes)
	return mysql.connect(options(changes))
end

-- A fresh table "t" with the columns; returns the connection.
local function with_table(columns, changes)
	local db = connect(changes)
	assert(not db:query "drop table if exists t".badresult)
	local result = db:query("create table t (" .. columns .. ")")
	assert(not result.badresult, result.err)
	return db
end

function cases.queries_return_rows()
	local db = with_table "id serial primary key, name varchar(20), score double, day date"
	local result =
		db:query "insert into t (name, score, day) values ('Bob', 1.5, '2020-02-29'), ('', null, null), (null, -3, null)"
	check.equal({ result.affected_rows, result.insert_id, result.warning_count }, { 3, 1, 0 })
	check.equal(result.message, "Records: 3  Duplicates: 0  Warnings: 0")
	check.equal(db:query "select id, name, score, day from t order by id", {
		{ id = 1, name = "Bob", score = 1.5, day = "2020-02-29" },
		{ id = 2, name = "" },
		{ id = 3, score = -3 },
	})
	check.equal(math.type(db:query "select id from t"[1].id), "integer")
	db:set_compact_arrays(true)
	check.equal(db:query "select id, name from t order by id limit 2", { { 1, "Bob" }, { 2, "" } })
	check.equal(db:query "select * from t where id > 100", {})
	db:set_compact_arrays(false)
	check.equal(db:query "update t set name = 'Bob' where id = 1".affected_rows, 1) -- those found
	check.equal(db:ping().affected_rows, 0)
	assert(string.find(db:server_ver(), "^%d+%.%d+"))
	db:disconnect()
end

function cases.errors_are_results()
	local db = connect()
	local result = db:query "select * from nosuchtable"
	check.equal({ result.badresult, result.errno, result.sqlstate }, { true, 1146, "42S02" })
	assert(string.find(result.err, "nosuchtable", 1, true))
	result = db:prepare "select * from nosuchtable"
	check.equal({ result.badresult, result.errno }, { true, 1146 })
	check.equal(db:query "select 1 as one", { { one = 1 } })
	db:disconnect()
end

function cases.several_statements_return_several_results()
	local db = with_table "id int"
	local result = db:query "insert into t values (1), (2); select id from t order by id; select 'x' as x"
	check.equal(result.multiresultset, true)
	check.equal(
		{ #result, result[1].affected_rows, result[2], result[3] },
		{ 3, 2, { { id = 1 }, { id = 2 } }, { { x = "x" } } }
	)
	result = db:query "select 1 as a; select * from nosuchtable; select 2 as b"
	check.equal(
		{ result.multiresultset, result.badresult, result.errno, #result, result[1] },
		{ true, true, 1146, 1, { { a = 1 } } }
	)
	check.equal(db:query "select 3 as c", { { c = 3 } })
	db:disconnect()
end

function cases.prepared_statements_take_and_return_all_types()
	local db = with_table [[
		id int primary key auto_increment, tiny tinyint, utiny tinyint unsigned, small smallint, usmall smallint unsigned,
		medium mediumint, umedium mediumint unsigned, whole int, uwhole int unsigned, big bigint, ubig bigint unsigned,
		single float, dbl double, fixed decimal(10, 2), yr year, dt datetime, dtm datetime(3), d date, tm time, tmm time(6),
		txt text, var varchar(100), chr char(5), bin varbinary(100), blb mediumblob, en enum('a', 'b'), se set('x', 'y'), nul int]]
	local insert = db:prepare("insert into t values (" .. string.rep("?", 28, ", ") .. ")")
	check.equal({ insert.param_count, #insert.params, insert.field_count }, { 28, 28, 0 })
	local blob = string.rep("\0\255'\"\\\r\n", 10000)
	local values = {
		1,
		-128,
		255,
		-32768,
		65535,
		-8388608,
		16777215,
		-2147483648,
		4294967295,
		math.mininteger,
		math.maxinteger,
		1.5,
		-2.25,
		"12345.67",
		2026,
		"2026-11-23 01:02:03",
		"2026-11-23 01:02:03.045",
		"0000-00-00",
		"-25:01:02",
		"10:11:12.000013",
		"käse",
		"",
		"abc",
		"\0\1\2",
		blob,
		"b",
		"x,y",
		nil,
	}
	db:query "set sql_mode = ''"
	local result = db:execute(insert, table.unpack(values, 1, 28))
	check.equal({ result.badresult, result.err, result.affected_rows }, { nil, nil, 1 })
	local select = db:prepare "select * from t where id = ?"
	local binary = db:execute(select, 1)[1]
	local text = db:query "select * from t where id = 1"[1]
	check.equal(binary, text) -- both protocols say the same
	values[14] = 12345.67
	local names = "id tiny utiny small usmall medium umedium whole uwhole big ubig single"
		.. " dbl fixed yr dt dtm d tm tmm txt var chr bin blb en se nul"
	local i = 0
	for name in string.gmatch(names, "%a+") do
		i = i + 1
		check.equal(binary[name], values[i], name)
	end
	check.equal(i, 28)
	db:set_compact_arrays(true)
	check.equal(db:execute(select, 1)[1][2], -128)
	db:stmt_close(select)
	result = db:execute(select, 1)
	check.equal(result.errno, 1243)
	db:disconnect()
end

-- A number where Lua has one of the same value, otherwise the digits; both protocols say the same.
function cases.numbers_are_exact_in_both_protocols()
	local db = with_table(
		"id int primary key, ubig bigint unsigned, big bigint, fixed decimal(38, 10), whole decimal(38, 0), zero bigint(20) unsigned zerofill"
	)
	local rows = {
		{
			1,
			"18446744073709551615",
			math.mininteger,
			"12345678901234567890.0123456789",
			"99999999999999999999",
			"18446744073709551615",
		},
		{ 2, "9223372036854775808", math.maxinteger, 1234567890.5, math.maxinteger, 42 },
		{ 3, math.maxinteger, -1, -0.0000000001, math.mininteger, 0 },
		{ 4, 0, 0, 100, -7, 1 },
		{ 5, nil, nil, 0.123456789, nil, nil },
	}
	local insert = db:prepare "insert into t values (?, ?, ?, ?, ?, ?)"
	for _, row in ipairs(rows) do
		local result = db:execute(insert, table.unpack(row, 1, 6))
		check.equal({ result.affected_rows, result.err }, { 1, nil })
	end
	db:set_compact_arrays(true)
	local text = db:query "select * from t order by id"
	local binary = db:execute(db:prepare "select * from t order by id")
	check.equal(binary, text)
	for i, row in ipairs(rows) do
		for j = 1, 6 do
			check.equal({ binary[i][j], math.type(text[i][j]) }, { row[j], math.type(binary[i][j]) }, i .. "," .. j)
		end
	end
	check.equal(math.type(text[3][5]), "integer")
	-- What comes back goes in again.
	local found = db:execute(db:prepare "select id from t where ubig = ? and fixed = ?", rows[1][2], rows[1][4])
	check.equal(found, { { 1 } })
	check.equal(db:query "select sum(ubig) from t where id < 3", { { "27670116110564327423" } })
	db:disconnect()
end

function cases.arguments_are_checked()
	local db = connect()
	local statement = db:prepare "select ? as a, ? as b"
	check.equal(db:execute(statement, 1, "x"), { { a = 1, b = "x" } })
	check.equal(db:execute(statement, nil, true), { { b = 1 } })
	check.equal(db:execute(statement, 0.5, false), { { a = 0.5, b = 0 } })
	check.raises("require stmt.param_count 2 get arg_num 1", db.execute, db, statement, 1)
	check.raises("invalid parameter type table", db.execute, db, statement, 1, {})
	check.equal(db:stmt_reset(statement).affected_rows, 0)
	local many = db:prepare("select " .. string.rep("?", 20, " + ") .. " as total")
	local arguments = {}
	for i = 1, 20 do
		arguments[i] = i
	end
	check.equal(db:execute(many, table.unpack(arguments)), { { total = 210 } })
	db:disconnect()
end

function cases.stored_procedures_return_rows_and_a_status()
	local db = with_table "id int, name varchar(10)"
	db:query "insert into t values (1, 'one'), (2, 'two')"
	db:query "drop procedure if exists p"
	assert(
		not db:query "create procedure p(in wanted int) begin select * from t where id = wanted; select count(*) as n from t; end".badresult
	)
	local result = db:query "call p(2)"
	check.equal(
		{ result[1], result[2], result[3].affected_rows, result.multiresultset },
		{ { { id = 2, name = "two" } }, { { n = 2 } }, 0, true }
	)
	local call = db:prepare "call p(?)"
	result = db:execute(call, 1)
	check.equal(
		{ result[1], result[2], result.multiresultset, result.mulitresultset },
		{ { { id = 1, name = "one" } }, { { n = 2 } }, true, true }
	)
	db:disconnect()
end

function cases.literals_are_escaped()
	local db = connect { compact_arrays = true }
	local text = "\0\b\n\r\t\26\\'\" %s ü"
	check.equal(db:query("select " .. mysql.quote_sql_str(text)), { { text } })
	check.equal(mysql.quote_sql_str "a'b", "'a\\'b'")
	db:disconnect()
end

function cases.values_of_any_length()
	local db = connect { compact_arrays = true }
	for _, size in ipairs { 0, 1, 250, 251, 65535, 65536, 0xffffff, 0xffffff + 10 } do
		local result = db:query(string.format("select repeat('x', %d), 'after'", size))
		check.equal({ #result[1][1], result[1][2] }, { size, "after" })
	end
	-- Also what is sent: above 16 MiB it takes several packets.
	for _, size in ipairs { 0xffffff - 30, 0xffffff, 0xffffff * 2 } do
		check.equal(db:query("select length('" .. string.rep("y", size) .. "')"), { { size } })
	end
	local statement = db:prepare "select ?, length(?)"
	local value = string.rep("z", 0xffffff + 1)
	local row = db:execute(statement, value, value)[1]
	check.equal({ row[1] == value, row[2] }, { true, #value })
	db:disconnect()
end

function cases.tasks_share_a_connection()
	local db = connect()
	check.together(50, function(i)
		check.equal(db:query("select " .. i .. " as i"), { { i = i } })
	end)
	db:disconnect()
end

-- They hold the connection in a variable that others use.
function cases.tasks_that_are_killed_leave_others_their_answers()
	local db = connect()
	abandon(function(n)
		return db:query(string.format("select %d as n", n))[1].n
	end)
	abandon(function(n) -- several results of one request
		return db:query(string.format("select 0 as n; select %d as n", n))[2][1].n
	end)
	local statement = db:prepare "select ? as n"
	abandon(function(n)
		return db:execute(statement, n)[1].n
	end)
	abandon(function(n)
		local own = db:prepare(string.format("select %d as n", n))
		return db:execute(own)[1].n
	end)
end

function cases.lost_connections_come_back_through_on_connect()
	local count = 0
	local db = connect {
		on_connect = function(self)
			count = count + 1
			self:query "set @mine = 42"
		end,
	}
	local other = connect()
	local id = db:query "select connection_id() as id"[1].id
	check.equal(count, 1)
	other:query("kill " .. id)
	local ok, result = pcall(db.query, db, "select @mine as mine")
	if not ok or result.badresult then -- the loss was noticed with this query and not before it
		result = db:query "select @mine as mine"
	end
	check.equal(result, { { mine = 42 } })
	check.equal(count, 2)
	db:disconnect()
	other:disconnect()
end

function cases.log_in_is_checked()
	local ok, problem = pcall(connect, { password = "wrong" })
	check.equal(ok, false)
	if check.ours then -- the C core's layer keeps the reason to itself
		assert(string.find(tostring(problem), "errno:1045", 1, true), tostring(problem))
	end
	check.equal(pcall(connect, { database = "nosuchdatabase" }), false)
	check.raises("unknown charset", connect, { charset = "klingon" })
	local db = connect { user = "nobody", password = "", database = "" }
	check.equal(db:query "select 1 as one", { { one = 1 } })
	db:disconnect()
end

function cases.connections_can_be_encrypted()
	local context = require "http.tlshelper".newctx()
	context:set_verify(skynet.getenv "authorities")
	for _, tls in ipairs { true, context } do
		local db = connect { tls = tls, host = "localhost" }
		assert(#db:query "show status like 'Ssl_cipher'"[1].Value > 0)
		local statement = db:prepare "select ? as text"
		for _, size in ipairs { 0, 1, 16383, 16384, 100000, 0xffffff + 1 } do
			local text = string.rep("x", size)
			check.equal(db:execute(statement, text)[1].text == text, true, size)
		end
		db:disconnect()
	end
	local db = connect { host = "localhost" }
	check.equal(db:query "show status like 'Ssl_cipher'"[1].Value, "")
	db:disconnect()
end

function cases.pools_keep_transactions_apart()
	local db = with_table "id int primary key, n int"
	db:query "insert into t values (1, 0)"
	local pool = mysql.pool(options { size = 3 })
	check.together(20, function()
		pool:use(function(own)
			own:query "begin"
			local n = own:query "select n from t where id = 1 for update"[1].n
			own:query("update t set n = " .. n + 1 .. " where id = 1")
			own:query "commit"
		end)
	end)
	check.equal(db:query "select n from t", { { n = 20 } })
	-- A function that raises leaves no transaction behind.
	pcall(pool.use, pool, function(own)
		own:query "begin"
		own:query "update t set n = 99"
		error "as the test wants it"
	end)
	check.equal(
		pool:use(function(own)
			return own:query "select n from t for update"
		end),
		{ { n = 20 } }
	)
	pool:close()
	db:disconnect()
end

check.run(cases)
