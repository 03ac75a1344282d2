--- Trace tags: a request that is traced takes its tag along to every service it calls, and each step
--- writes a line to the log. The kernel comes here only when tracing has been asked for.

local core = require "skynet.core"

local tags = {}      -- task -> tag, or false: tracing is off for it
local announced = {} -- address -> tag of the next request from there

local M = { tags = tags }

--- The next request from `source` will carry this tag.
function M.expect(source, tag)
	announced[source] = tag
end

--- That request found no handler.
function M.forget(source)
	announced[source] = nil
end

--- A task has ended.
function M.finish(task)
	local tag = tags[task]
	if tag ~= nil then
		if tag then
			core.trace(tag, "end")
		end
		tags[task] = nil
	end
end

local trace_count = 0

--- Gives a task a trace tag of its own, unless tracing is off for it.
function M.start(task, info)
	if tags[task] == false then
		return
	end
	trace_count = trace_count + 1
	local tag = string.format(":%08x-%d", core.addresscommand "REG", trace_count)
	tags[task] = tag
	core.trace(tag, info and "trace " .. info or "trace")
end

--- Decides whether the request that `task` is about to handle is traced.
function M.request(protocol, task, source)
	if protocol.trace == false then
		announced[source] = nil
		tags[task] = false
		return
	end
	local tag = announced[source]
	if tag then
		announced[source] = nil
		core.trace(tag, "request")
		tags[task] = tag
	elseif protocol.trace then
		M.start(task)
	end
end

return M
