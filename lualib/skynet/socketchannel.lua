--- A connection to a server that many tasks share: it connects when it is first used and again after
--- it was lost, logs in, sends the requests, and gives each answer to the task that waits for it.
---
---     local channel = socketchannel.channel { host = "127.0.0.1", port = 7000 }
---     local line = channel:request("ping\n", function(sock)
---         return true, sock:readline "\n"
---     end)
---
--- Protocols come in two kinds. In order: answers come in the order of the requests, and each request
--- brings the function that reads its answer. By session: the channel's `response` reads any answer and
--- tells the session it belongs to, and each request brings its session.
---
--- Functions that read get an object with `read(n)` and `readline(separator [, most])`, which yield, and raise
--- `socketchannel.error` when the connection ends. A line of more than `most` bytes is an error that ends the connection, as
--- any other that they raise: the task that waits for an answer gets it.

local skynet = require "skynet"
local socket = require "skynet.socket"
local driver = require "skynet.socketdriver"
local link = require "skynet.socketchannel.link"
local inorder = require "skynet.socketchannel.inorder"
local bysession = require "skynet.socketchannel.bysession"
local printable = require "skynet.internal.printable"
local check_yieldable = require "skynet.internal.kernel".check_yieldable

---@class skynet.socketchannel
local M = {}
---@class skynet.socketchannel.Channel
local Channel = {}
Channel.__index = Channel

--- Raised where the connection was lost or could not be made.
M.error = link.error

local PAUSE_STEP <const>, LONGEST_PAUSE <const> = 100, 1000 -- 1/100 s, between attempts to connect
-- `auth` may send the channel to another server, which may do so, too: so often, with pauses that grow in 1/100 s.
local MOST_SHOWN <const> = 100 -- bytes of what a server has sent
local MOST_MOVES <const>, MOVE_PAUSE <const>, LONGEST_MOVE_PAUSE <const> = 8, 10, 100

--- Describes a connection; connects later. Does not yield.
---
--- Fields of `options`:
---   host, port      the server
---   backup          more servers: list of host or { host =, port = }, tried in order
---   auth            function(channel), run after connecting; may use the channel; raises to refuse
---   response        function(sock) -> session, ok, data [, more]: makes this a channel by session
---   nodelay         no Nagle's algorithm
---   answers_only    in order: the server sends nothing but answers. What has come while nobody waits for one would be taken for the
---                   next answer, and that one for the next but one, and so on: a request that finds something of it is not
---                   sent but raises, and the connection is closed
---   quiet           no lines in the log about connections that fail: the errors tell it
---   overload        function(on), called when output piles up, and when it is gone
---   connect_timeout, request_timeout    1/100 s; nil: none. The first one limits connecting, and `auth` after that. An
---                   answer that comes too late is dropped, the connection stays
---   socket_read, socket_readline    replace the methods of the reading functions' object (TLS)
---   socket_write    function(sock, request) -> whether it was sent: replaces writing to the socket sock[1]
---@param options table
---@return skynet.socketchannel.Channel channel
function M.channel(options)
	return setmetatable({
		host = assert(options.host, "socketchannel: no host"),
		port = options.port,
		backup = options.backup,
		auth = options.auth,
		nodelay = options.nodelay,
		quiet = options.quiet,
		surplus = options.answers_only and not options.response and inorder.surplus,
		overload = options.overload,
		connect_timeout = options.connect_timeout,
		write = options.socket_write,
		overloaded = false,
		closed = false,
		new_link = link.class(options.response and bysession(options.response) or inorder, options),
		-- link: the open connection
		-- greeter: the task that runs `auth`
		-- dialling: the tasks that wait while another one connects
	}, Channel)
end

---------------------------------------------------------------- connecting

-- The servers to try, each once, and a function that adds the backups known by now.
local function servers(self)
	local list, known = {}, {}
	local function add(host, port)
		local key = host .. ":" .. tostring(port)
		if not known[key] then
			known[key] = true
			list[#list + 1] = { host = host, port = port }
		end
	end
	local function add_backups()
		for _, server in ipairs(self.backup or {}) do
			if type(server) == "table" then
				add(server.host, server.port)
			else
				add(server, self.port)
			end
		end
	end
	add(self.host, self.port)
	add_backups()
	return list, add_backups
end

local function drop(self, current, problem)
	if self.link == current then
		self.link = nil
	end
	current:close(problem)
end

local function watch_output(self, fd)
	local notify = self.overload
	local function report(id, kilobytes)
		if not (self.link and self.link[1] == id) then
			return
		end
		local now = kilobytes > 0
		if now ~= self.overloaded then
			self.overloaded = now
			notify(now)
		elseif now then
			skynet.error(
				string.format("WARNING: %d K bytes need to send out (fd = %d)", kilobytes, id),
				self.host,
				self.port
			)
		end
	end
	skynet.fork(report, fd, 0) -- the old connection's backlog is gone with it
	socket.warning(fd, report)
end

-- Gives a server that accepts and then says nothing no more time than one that does not accept.
local function limit_log_in(self, current)
	local watch = { open = true }
	if self.connect_timeout then
		skynet.timeout(self.connect_timeout, function()
			if watch.open and not current.closed then
				watch.late = true
				drop(self, current)
			end
		end)
	end
	return watch
end

local function log_in(self)
	self.greeter = coroutine.running()
	local watch = limit_log_in(self, self.link)
	local ok, problem = pcall(self.auth, self)
	watch.open = false
	self.greeter = nil
	if watch.late then
		ok, problem = false, "log-in timeout"
	end
	if ok then
		return true
	end
	if self.link then
		drop(self, self.link)
	end
	if problem ~= M.error then
		skynet.error("socket: auth failed", problem)
	end
	return false, problem
end

local function use(self, fd, server)
	self.host, self.port = server.host, server.port
	if self.nodelay then
		driver.nodelay(fd)
	end
	self.link = self.new_link(fd, function(lost, while_idle)
		if self.link == lost then
			self.link = nil
			if while_idle then
				skynet.error("socket closed by peer : ", self.host, self.port)
			end
		end
	end)
	if self.overload then
		watch_output(self, fd)
	end
end

local connect_to_any

-- Goes on when nothing was wrong with the log-in and there is no connection: `auth` has changed the host, or the server has hung up.
-- Servers that name each other, or themselves, must not go on for ever.
local function move_on(self, moves, started)
	moves = moves + 1
	local late = self.connect_timeout and skynet.now() - started >= self.connect_timeout
	if moves > 1 and late or moves > MOST_MOVES then
		local text = string.format(
			"no server of those tried keeps the connection: %d times another one, the last is %s:%s",
			moves,
			self.host,
			self.port
		)
		return false, link.failure(text, true)
	elseif moves > 1 then
		skynet.sleep(math.min(MOVE_PAUSE << (moves - 2), LONGEST_MOVE_PAUSE))
	end
	return connect_to_any(self, moves, started)
end

-- Connects to the first server that accepts. Returns true, or false and why not.
function connect_to_any(self, moves, started)
	local list, add_backups = servers(self)
	local problem
	local index = 1
	while list[index] and not self.closed do
		local server = list[index]
		if index > 1 then
			skynet.error("socket: connect to backup host", server.host, server.port)
		end
		local fd
		fd, problem = socket.open(server.host, server.port, self.connect_timeout)
		if fd and self.closed then -- meanwhile
			socket.close(fd)
		elseif fd then
			use(self, fd, server)
			if not self.auth then
				return true
			end
			local ok
			ok, problem = log_in(self)
			if ok then
				if self.link then
					return true
				end
				return move_on(self, moves, started)
			end
			problem = link.failure(problem, true)
			add_backups() -- `auth` may have learned of more
		end
		index = index + 1
	end
	return false, problem
end

local function connect_with_patience(self)
	local pause = 0
	while not self.closed do
		local ok, problem = connect_to_any(self, 0, skynet.now())
		if ok then
			skynet.error("socket: connect to", self.host, self.port)
			return
		end
		skynet.error("socket: connect", problem)
		if pause > LONGEST_PAUSE then
			skynet.error("socket: try to reconnect", self.host, self.port)
			skynet.sleep(pause)
			pause = 0
		else
			skynet.sleep(pause)
		end
		pause = pause + PAUSE_STEP
	end
end

local function dial(self, once)
	if not once then
		return connect_with_patience(self)
	end
	local ok, problem = connect_to_any(self, 0, skynet.now())
	return not ok and problem or nil
end

-- true: can be used by this task; false: cannot, and will not; nil: has to be connected first.
local function usable(self)
	local current, greeter = self.link, self.greeter
	if current then
		if socket.disconnected(current[1]) then
			skynet.error("socket: disconnect detected ", self.host, self.port)
			drop(self, current)
			if greeter == coroutine.running() then
				return false
			end
			return nil
		end
		if greeter == nil or greeter == coroutine.running() then
			return true
		end
	elseif greeter and greeter == coroutine.running() then
		return false
	end
	if self.closed then
		return false
	end
end

-- The tasks that wait while another one connects. It may be killed at that: then one of them goes on with it.
local Dialling = {
	__close = function(tokens)
		local self = tokens.channel
		self.dialling = nil
		if self.greeter == tokens.task then -- in the middle of the log-in
			self.greeter = nil
			if self.link then
				drop(self, self.link)
			end
		end
		for _, token in ipairs(tokens) do
			token.problem, token.done = tokens.problem, tokens.done
			skynet.wakeup(token)
		end
	end,
}

local function connect(self, once)
	local ready = usable(self)
	if ready ~= nil then
		return ready
	end
	check_yieldable(4)
	local problem
	if self.dialling then
		local token = {}
		table.insert(self.dialling, token)
		skynet.wait(token)
		problem = token.problem
		if not token.done then
			return connect(self, once)
		end
	else
		local ok
		do
			local tokens <close> = setmetatable({ channel = self, task = coroutine.running() }, Dialling)
			self.dialling = tokens
			ok, problem = pcall(dial, self, once)
			tokens.problem, tokens.done = problem, true
		end
		if not ok then
			error(problem, 0)
		end
	end
	ready = usable(self)
	if ready == nil then
		if not self.quiet then
			skynet.error("Connect failed", problem, self.host, self.port)
		end
		error(link.failure(problem))
	end
	return ready
end

--- Connects if there is no connection. Yields.
---@param once boolean? true: raises when no server accepts; otherwise tries until one does
---@return boolean connected
function Channel:connect(once)
	self.closed = false
	return connect(self, once)
end

local function connected_link(self, once)
	if not connect(self, once) or not self.link then
		error(self.closed and "socket channel is closed" or M.error, 0)
	end
	return self.link
end

---------------------------------------------------------------- requests

local function send(self, current, request, more)
	local fd = current[1]
	local sent
	local write = self.write
	if write then
		sent = write(current, request)
		for _, part in ipairs(more or {}) do
			sent = sent and write(current, part)
		end
	elseif more then
		-- In the low priority queue others' small requests may pass between the parts.
		sent = socket.lwrite(fd, request)
		for _, part in ipairs(more) do
			sent = sent and socket.lwrite(fd, part)
		end
	else
		sent = socket.write(fd, request)
	end
	if not sent then
		drop(self, current)
		error(M.error)
	end
end

-- Before a request: raises when the server has sent more than answers, as those that come would be of other requests.
local function check_step(self, current)
	local bytes = self.surplus and not self.greeter and self.surplus(current) or 0
	if bytes > 0 then
		local sent = socket.read(current[1])
		local text = string.format(
			"the server has sent %d bytes that nobody has asked for: %s",
			bytes,
			printable(sent or "", MOST_SHOWN)
		)
		skynet.error(string.format("socket: %s; the connection is closed", text), self.host, self.port)
		local problem = link.failure(text)
		drop(self, current, problem)
		error(problem, 0)
	end
end

--- Sends a request, and waits for its answer if it has one. Connects first, once. Yields.
---@param request string|table
---@param response? fun(sock: table): boolean, any, boolean?|any In order: reads the answer and returns
--- ok, data, and whether more parts follow (then the result is a list). By session: the session.
--- nil: no answer
---@param more string[]? further parts of a large request
---@return any data of the answer; raises it if not ok, `socketchannel.error` if the connection is lost, and
--- "request timeout"
function Channel:request(request, response, more)
	if response ~= nil then
		check_yieldable()
	end
	local current = connected_link(self, true)
	check_step(self, current)
	send(self, current, request, more)
	if response ~= nil then
		return current:await(response)
	end
end

--- Whether there is a connection that can be written to at this moment. Does not yield.
---@return boolean
function Channel:is_ready()
	local current = self.link
	return current ~= nil and not self.greeter and not current.closed and not socket.disconnected(current[1])
end

--- For those who write to the open connection themselves, by session: has `ticket.finish(ticket, ok, data)` called with the
--- answer, or with `socketchannel.error` in the place of `ok`, and why, when the connection is lost. Does not yield.
---@param session any
---@param ticket table
---@return boolean expected false: there is no connection that can be used at this moment
function Channel:expect(session, ticket)
	local is_ready = self:is_ready()
	if is_ready then
		self.link.tickets[session] = ticket
	end
	return is_ready
end

--- From now on the server sends more than answers, such as notices: undoes `answers_only`. Does not yield.
function Channel:expect_notices()
	self.surplus = nil
end

--- Waits for an answer without a request, as for notices of the server. Connects first, for as long as
--- it takes. Yields.
---@param response function|any as in `request`
---@return any
function Channel:response(response)
	check_yieldable()
	if not self.greeter then
		self:expect_notices()
	end
	return connected_link(self):await(response)
end

---------------------------------------------------------------- settings

--- Closes the connection; tasks that wait get an error. `connect` opens it again. Yields.
function Channel:close()
	if not self.closed then
		self.closed = true
		if self.link then
			drop(self, self.link)
		end
	end
end

--- Sets the server; an open connection to the old one is closed. Yields.
---@param host string
---@param port integer?
function Channel:changehost(host, port)
	self.host = host
	self.port = port or self.port
	if not self.closed and self.link then
		drop(self, self.link)
	end
end

--- Sets the list of further servers for the next time. Does not yield.
---@param backup table?
function Channel:changebackup(backup)
	self.backup = backup
end

return M
