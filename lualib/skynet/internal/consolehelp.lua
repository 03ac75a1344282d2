--- What the debug console says about its commands.

local M = {}

-- The commands of the C core's console: programs read the list.
M.HELP = {
	call = "call address values : send a request and print the answer, values as in Lua",
	clearcache = "clearcache : later services read their scripts again",
	cmem = "cmem : C memory of each service",
	dbgcmd = "dbgcmd address command ... : a command of the debug protocol",
	debug = "debug address : step through a service, line cont ends",
	dumpheap = "dumpheap : write a heap profile",
	exit = "exit address : ask a service to end",
	gc = "gc [time] : collect garbage in every service",
	getenv = "getenv name : a value of the configuration",
	help = "help [more] : this list; more has the commands that only this core knows",
	info = "info address ... : what a service tells of itself",
	inject = "inject address file ... : run a Lua file inside of a service",
	jmem = "jmem : figures of the memory allocator",
	kill = "kill address : end a service by force",
	killtask = "killtask address thread : end a task, named as in the list of task",
	list = "list : all services",
	log = "log name ... : start a service and log its messages",
	logoff = "logoff address : end the log of messages",
	logon = "logon address : log the messages of a service",
	mem = "mem [time] : Lua memory of each service",
	netstat = "netstat : all sockets",
	ping = "ping address : time of an answer, in 1/100 s",
	profactive = "profactive [on|off] : heap profiling",
	service = "service : unique services",
	setenv = "setenv name value : add to the configuration",
	signal = "signal address [number] : interrupt a service that is busy",
	snax = "snax name ... : start a snax service",
	start = "start name ... : start a service",
	stat = "stat [time] : messages, tasks and CPU time of each service",
	task = "task address : what the tasks of a service wait for",
	trace = "trace address [protocol] [on|off] : trace the requests of a service",
	uniqtask = "uniqtask address : tasks with equal stacks, counted",
}

-- Those that only this core knows.
M.MORE = {
	cluster = "cluster : the nodes of the cluster, and the connections to them",
	drain = "drain [seconds] : take this node out of the cluster while it still serves",
	loglevel = "loglevel address [level] : the level of a service's log: debug, info, warning, error, off",
	profile = "profile [alloc] address|node|script name [seconds [hz]] : where the CPU time goes, or where memory is allocated: a table, and a flame graph",
	purge = "purge : give free memory back to the system, and show what the process has",
	shutdown = "shutdown : let services finish, then end the node",
	snapshot = "snapshot [sockets] [cluster] : figures of the node and of all services, as JSON",
	stuck = "stuck : what every worker runs, and for how long",
}

return M
