-- Files of a folder over HTTP: what is served, what is not, and which part of it.
local skynet = require "skynet"
local socket = require "skynet.socket"
local dates = require "http.dates"
local httpc = require "http.httpc"
local routers = require "http.router"
local server = require "http.server"
local static = require "http.static"
local check = require "check"
local listen = require "listening"

local cases = {}

local MB <const> = 1024 * 1024
local LARGE <const> = string.rep("0123456789abcdef", MB // 4) -- 4 MiB

local function write(name, text)
	local file = assert(io.open(name, "wb"))
	file:write(text)
	file:close()
end

-- In the folder of this run, which is empty before.
local function prepare()
	local script = [[
		mkdir -p root/sub root/.hidden root/empty root/name.d &&
		ln -s ../secret root/out && ln -s ../.. root/sub/up && ln -s page.html root/in &&
		ln -s root link && mkfifo root/pipe &&
		touch -d '2020-02-29 12:00:00 UTC' secret
	]]
	write("secret", "secret")
	assert(os.execute(script))
	write("root/page.html", "<p>hello")
	write("root/sub/index.html", "the index")
	write("root/.env", "secret")
	write("root/.hidden/x", "secret")
	write("root/a b+c%.txt", "odd")
	write("root/名.txt", "name")
	write("root/empty.txt", "")
	write("root/large", LARGE)
	write("root/note.TXT", "0123456789")
	assert(os.execute "touch -d '2020-02-29 12:00:00 UTC' root/note.TXT")
end

local app, host

local function setup()
	if host then
		return host
	end
	prepare()
	app = routers.new()
	app:static("/files", "root")
	app:static(
		"/link/",
		"link",
		{ max_age = 60, dotfiles = true, types = { html = "text/x" }, header = { ["x-a"] = "b" } }
	)
	app:static("/none", "root", { index = false })
	local root = app:group("/group")
	root:get("/:id/*rest", static.new "root")
	host = listen(function(id, _, address)
		server.serve(id, app, { address = address })
	end)
	return host
end

local function get(target, header, method)
	local received = {}
	local code, body = httpc.request(method or "GET", setup(), target, received, header)
	return code, body, received
end

function cases.files_are_served_as_what_they_are()
	local code, body, header = get "/files/page.html"
	check.equal({ code, body, header["content-type"] }, { 200, "<p>hello", "text/html; charset=utf-8" })
	check.equal(header["cache-control"], "no-cache")
	code, body, header = get "/link/page.html"
	check.equal({ code, body, header["content-type"] }, { 200, "<p>hello", "text/x" })
	check.equal({ header["cache-control"], header["x-a"] }, { "max-age=60", "b" })
	code, body, header = get "/files/note.TXT"
	check.equal({ code, body, header["content-type"] }, { 200, "0123456789", "text/plain; charset=utf-8" })
	check.equal(header["last-modified"], "Sat, 29 Feb 2020 12:00:00 GMT")
	check.equal(select(2, get "/files/a%20b+c%25.txt"), "odd")
	check.equal(select(2, get "/files/%E5%90%8D.txt"), "name")
	check.equal(select(2, get "/files/sub%2Findex.html"), "the index")
	check.equal({ (get "/files/empty.txt") }, { 200 })
	check.equal(select(2, get "/files/in"), "<p>hello", "a link inside of the folder")
	check.equal(select(2, get "/group/7/page.html"), "<p>hello")
	code, body, header = get("/files/large")
	check.equal({ code, body == LARGE, header["content-length"] }, { 200, true, tostring(#LARGE) })
	check.equal(header["content-type"], "application/octet-stream")
end

function cases.a_folder_is_its_index_below_a_slash()
	check.equal(select(2, get "/files/sub/"), "the index")
	local code, _, header = get "/files/sub?x=1"
	check.equal({ code, header.location }, { 301, "/files/sub/?x=1" })
	code, _, header = get "/files"
	check.equal({ code, header.location }, { 301, "/files/" })
	check.equal((get "/files/"), 404, "there is no index")
	check.equal((get "/files/empty/"), 404)
	check.equal((get "/none/sub/"), 404)
	check.equal((get "/files/page.html/"), 404)
	check.equal((get "/files/name.d/"), 404)
end

function cases.nothing_outside_of_the_folder_is_served()
	for _, path in ipairs {
		"../secret",
		"..%2fsecret",
		"%2e%2e/secret",
		"%2E%2E%2Fsecret",
		"sub/../../secret",
		"sub/..%2f..%2fsecret",
		"sub/up/secret",
		"out",
		"./page.html",
		"sub/../page.html",
		".env",
		"%2eenv",
		".hidden/x",
		"%2Fetc/passwd",
		"/etc/passwd",
		"//etc/passwd",
		"page.html%00",
		"page.html%00.txt",
		"sub//index.html",
		"pipe",
		"nothing",
		"..",
		".",
		"..%5csecret",
		string.rep("x", 5000),
		string.rep("x/", 2000),
	} do
		for _, prefix in ipairs { "/files/", "/group/1/" } do
			local code, body = get(prefix .. path)
			assert(code == 404 or code == 301, path .. " " .. code)
			assert(not string.find(body, "secret", 1, true), path)
		end
	end
	check.equal((get "/link/.env"), 200)
	for _, path in ipairs { "../secret", "%2e%2e/secret", "out", "." } do
		check.equal((get("/link/" .. path)), 404, path)
	end
	check.equal((get "/files/%zz"), 400)
	check.equal((get("/files/page.html", nil, "POST")), 405)
end

function cases.a_client_that_has_the_file_gets_304()
	local _, _, first = get "/files/note.TXT"
	local tag, date = first.etag, first["last-modified"]
	assert(string.find(tag, '^"[^"]+"$'), tag)
	local function code(header)
		local answer, body, received = get("/files/note.TXT", header)
		if answer == 304 then
			check.equal({ body, received.etag }, { "", tag })
		end
		return answer
	end
	check.equal(code { ["if-none-match"] = tag }, 304)
	check.equal(code { ["if-none-match"] = 'W/"x", W/' .. tag }, 304)
	check.equal(code { ["if-none-match"] = "*" }, 304)
	check.equal(code { ["if-none-match"] = '"x"' }, 200)
	check.equal(code { ["if-none-match"] = string.rep('"', 10001) }, 200)
	check.equal(code { ["if-modified-since"] = date }, 304)
	check.equal(code { ["if-modified-since"] = "Saturday, 29-Feb-20 12:00:00 GMT" }, 304)
	check.equal(code { ["if-modified-since"] = "Sat Feb 29 12:00:01 2020" }, 304)
	check.equal(code { ["if-modified-since"] = "Sat, 29 Feb 2020 11:59:59 GMT" }, 200)
	check.equal(code { ["if-modified-since"] = "yesterday" }, 200)
	check.equal(code { ["if-none-match"] = '"x"', ["if-modified-since"] = date }, 200, "the tag counts")
	check.equal(code { ["if-match"] = tag }, 200)
	check.equal(code { ["if-match"] = '"x"' }, 412)
	check.equal(code { ["if-match"] = "W/" .. tag }, 412)
	check.equal(code { ["if-unmodified-since"] = date }, 200)
	check.equal(code { ["if-unmodified-since"] = "Sat, 29 Feb 2020 11:59:59 GMT" }, 412)
	write("root/changing", "one")
	local _, _, before = get "/files/changing"
	write("root/changing", "two")
	check.equal((get("/files/changing", { ["if-none-match"] = before.etag })), 200)
end

function cases.a_part_of_a_file_is_sent_when_it_is_asked_for()
	local function part(range, more)
		local header = more or {}
		header.range = range
		local code, body, received = get("/files/note.TXT", header)
		return { code, body, received["content-range"] }
	end
	local all = { 200, "0123456789" }
	check.equal(part "bytes=0-0", { 206, "0", "bytes 0-0/10" })
	check.equal(part "bytes=2-4", { 206, "234", "bytes 2-4/10" })
	check.equal(part "bytes=8-", { 206, "89", "bytes 8-9/10" })
	check.equal(part "bytes=8-100", { 206, "89", "bytes 8-9/10" })
	check.equal(part "bytes=-3", { 206, "789", "bytes 7-9/10" })
	check.equal(part "bytes=-100", { 206, "0123456789", "bytes 0-9/10" })
	check.equal(part("bytes=5-" .. string.rep("9", 300)), { 206, "56789", "bytes 5-9/10" })
	check.equal(part "bytes=10-", { 416, "", "bytes */10" })
	check.equal(part "bytes=-0", { 416, "", "bytes */10" })
	check.equal(part("bytes=" .. string.rep("9", 300) .. "-"), { 416, "", "bytes */10" })
	-- Zeros in front change no number, and one that is too large is none that overflows.
	local zeros, huge <const> = string.rep("0", 300), "1" .. string.rep("0", 30)
	check.equal(part("bytes=" .. zeros .. "2-" .. zeros .. "4"), { 206, "234", "bytes 2-4/10" })
	check.equal(part("bytes=-" .. zeros .. "3"), { 206, "789", "bytes 7-9/10" })
	check.equal(part("bytes=-" .. zeros), { 416, "", "bytes */10" })
	check.equal(part("bytes=-" .. huge), { 206, "0123456789", "bytes 0-9/10" })
	check.equal(part("bytes=2-18446744073709551619"), { 206, "23456789", "bytes 2-9/10" })
	check.equal(part("bytes=" .. huge .. "-" .. huge), { 416, "", "bytes */10" })
	check.equal(part("bytes=" .. huge .. "-9999999999999999999999"), all, "the last before the first is no range")
	check.equal(part "bytes=, 2-4 ,", { 206, "234", "bytes 2-4/10" }, "empty items of a list")
	for _, range in ipairs { "bytes=4-2", "bytes=", "bytes=-", "bytes=a-b", "bytes=0-1,3-4", "lines=1-2", "bytes 0-1" } do
		check.equal(part(range), all, range)
	end
	local _, _, first = get "/files/note.TXT"
	check.equal(part("bytes=0-1", { ["if-range"] = first.etag })[1], 206)
	check.equal(part("bytes=0-1", { ["if-range"] = first["last-modified"] })[1], 206)
	check.equal(part("bytes=0-1", { ["if-range"] = '"other"' }), all)
	check.equal(part("bytes=0-1", { ["if-range"] = "W/" .. first.etag }), all)
	local code, body, header = get("/files/large", { range = "bytes=1000000-1999999" })
	check.equal(
		{ code, body == string.sub(LARGE, 1000001, 2000000), header["content-length"] },
		{ 206, true, "1000000" }
	)
	check.equal((get("/files/empty.txt", { range = "bytes=0-" })), 416)
	check.equal((get("/files/empty.txt", { range = "bytes=-5" })), 200, "its last bytes are none, and there are such")
end

function cases.head_is_the_header_of_get()
	for _, target in ipairs { "/files/large", "/files/note.TXT", "/files/empty.txt" } do
		local _, _, whole = get(target)
		local code, body, header = get(target, nil, "HEAD")
		check.equal({ code, body }, { 200, "" })
		check.equal(header, whole)
	end
	local code, _, header = get("/files/note.TXT", { range = "bytes=2-4" }, "HEAD")
	check.equal({ code, header["content-length"] }, { 206, "3" })
	check.equal((get("/files/none", nil, "HEAD")), 404)
end

-- The descriptors of this process that are open in the folder.
local function open_files()
	local pipe = assert(io.popen "ls -l /proc/$PPID/fd 2>/dev/null | grep -c 'root/large'")
	local count = tonumber(pipe:read "a")
	pipe:close()
	return count
end

function cases.a_large_file_is_read_as_the_client_takes_it_and_closed_when_it_has_gone()
	local where = setup()
	write("root/larger", "")
	assert(os.execute "truncate -s 1G root/larger && mv root/larger root/large2")
	local ids = {}
	for index = 1, 20 do
		local id = assert(socket.open(where))
		socket.pause(id)
		socket.write(id, "GET /files/large2 HTTP/1.1\r\nHost: x\r\n\r\n")
		ids[index] = id
	end
	while open_files() < 20 do
		skynet.sleep(5)
	end
	check.equal((get "/files/page.html"), 200)
	assert(collectgarbage "count" < 400 * 1024)
	for _, id in ipairs(ids) do
		socket.close(id)
	end
	while open_files() > 0 do
		skynet.sleep(5)
	end
	os.remove "root/large2"
end

function cases.mistakes_say_what_is_wrong()
	local router = routers.new()
	check.raises("there is no folder 'nowhere'", router.static, router, "/x", "nowhere")
	check.raises("http_static.lua", function()
		router:static("/x", "nowhere")
	end)
	setup()
	check.raises("there is no folder 'root/page.html'", static.new, "root/page.html")
	router:get("/y/:name", static.new "root")
	check.raises(
		"has to end with a rest",
		router.dispatch,
		router,
		{ method = "GET", target = "/y/a", version = "1.1" }
	)
end

function cases.dates_are_those_of_the_calendar()
	for _, time in ipairs { 0, 784111777, 951782400, 951868799, 1582977600, 4102444800, 253402300799, 86399 } do
		check.equal(dates.format(time), os.date("!%a, %d %b %Y %H:%M:%S GMT", time))
		check.equal(dates.parse(dates.format(time)), time)
	end
	for day = 0, 40000, 13 do
		check.equal(dates.parse(dates.format(day * 86400)), day * 86400)
	end
	check.equal(dates.parse "Sunday, 06-Nov-94 08:49:37 GMT", 784111777)
	check.equal(dates.parse "Sun Nov  6 08:49:37 1994", 784111777)
	for _, text in ipairs {
		"",
		"Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Xxx 1994 08:49:37 GMT",
		"Sun, 32 Nov 1994 08:49:37 GMT",
	} do
		check.equal(dates.parse(text), nil, text)
	end
end

check.run(cases)
