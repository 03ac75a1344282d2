-- Waiting for news: who asks tells the version that it has, and gets an answer when there is another one, or after a time. So a
-- service learns of changes without a protocol of its own for them.

local skynet = require "skynet"

local M = {}
---@class skynet.cluster.topics.Topics
local Topics = {}
Topics.__index = Topics

--- Does not yield.
---@return skynet.cluster.topics.Topics
function M.new()
	return setmetatable({ clock = 0, versions = {}, waiting = {} }, Topics)
end

--- The version of a topic; 0 where nothing has been said yet. Does not yield.
---@param topic string
---@return integer
function Topics:version(topic)
	return self.versions[topic] or 0
end

--- Something has changed. `keep`: the topic still has something to tell; otherwise it is forgotten. Does not yield.
---@param topic string
---@param keep boolean
function Topics:change(topic, keep)
	self.clock = self.clock + 1
	local waiting = self.waiting[topic]
	self.versions[topic] = keep and self.clock or nil
	if waiting then
		self.waiting[topic] = nil
		for task in pairs(waiting) do
			skynet.wakeup(task)
		end
	end
end

--- Waits until the version is another one than `version`, at most so long. Yields.
---@param topic string
---@param version integer
---@param time integer 1/100 s
function Topics:wait(topic, version, time)
	if self:version(topic) ~= version then
		return
	end
	local task = coroutine.running()
	local waiting = self.waiting[topic] or {}
	self.waiting[topic] = waiting
	waiting[task] = true
	skynet.sleep(time, task)
	waiting[task] = nil
	if self.waiting[topic] == waiting and next(waiting) == nil then
		self.waiting[topic] = nil
	end
end

return M
