-- Session numbers start again at 1 after 2^31-1: none that is still in use may be given out twice.
local check = require "check"

local cases = {}

local PARTS <const> = {
	"skynet.core",
	"skynet.internal.runtime",
	"skynet.internal.taskend",
	"skynet.internal.calls",
	"skynet.internal.kernel",
}

-- A second kernel, on a core that only counts sessions, from `first` on.
-- `unseen`: no call of `timeout` sees the task that it returns.
local function kernel_from(first, unseen)
	local next_session = first
	local function allocate()
		local session = next_session
		next_session = session < 0x7fffffff and session + 1 or 1
		return session
	end
	local function timer(_, func)
		return allocate(), func ~= nil and unseen
	end
	local loaded, real = package.loaded, {}
	for _, name in ipairs(PARTS) do
		real[name], loaded[name] = loaded[name], nil
	end
	local core = setmetatable(
		{ genid = allocate, intcommand = allocate, timer = timer },
		{ __index = real["skynet.core"] }
	)
	loaded["skynet.core"] = core
	local kernel = require "skynet.internal.kernel"
	for _, name in ipairs(PARTS) do
		loaded[name] = real[name]
	end
	return kernel
end

function cases.sessions_in_use_are_skipped_after_the_wrap()
	local kernel = kernel_from(0x7ffffffc)
	local used = { [1] = true, [2] = true, [4] = true, [0x7ffffffe] = true }
	for session in pairs(used) do
		kernel.waiting[session] = "BREAK"
	end
	local given = {}
	for i = 1, 6 do
		given[i] = kernel.api.genid()
		assert(not used[given[i]], "session in use")
	end
	check.equal(given, { 0x7ffffffc, 0x7ffffffd, 0x7fffffff, 3, 5, 6 })
end

function cases.timers_skip_sessions_in_use_too()
	local kernel = kernel_from(0x7fffffff)
	kernel.waiting[1] = "BREAK"
	local first, second = kernel.api.timeout(1, print), kernel.api.timeout(1, print)
	check.equal(kernel.waiting[0x7fffffff], first)
	check.equal(kernel.waiting[1], "BREAK")
	check.equal(kernel.waiting[2], second)
end

function cases.sessions_of_timers_without_a_task_are_in_use()
	local kernel = kernel_from(0x7ffffffe, true)
	kernel.taskless[1], kernel.taskless[2] = print, print
	kernel.api.timeout(1, print)
	kernel.api.timeout(1, print)
	check.equal(kernel.api.genid(), 3)
	check.equal(kernel.taskless, { [0x7ffffffe] = print, [0x7fffffff] = print, [1] = print, [2] = print })
end

check.run(cases)
