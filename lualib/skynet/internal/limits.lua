--- `mailbox_limit`. Loaded by the first call.

local core = require "skynet.core"

---@class (partial) skynet
local api = {}

--- Limits the messages that may wait for this service, besides answers, errors, timers, events of sockets and what the
--- console asks. Does not yield.
---@param count integer 0: no limit
---@param policy string? "reject" (default): further sends fail as if this service were dead; "drop": they vanish, and
--- calls fail
function api.mailbox_limit(count, policy)
	policy = policy or "reject"
	assert(math.type(count) == "integer" and count >= 0, "mailbox_limit: a count")
	assert(policy == "reject" or policy == "drop", "mailbox_limit: reject or drop")
	core.command("MAILBOXLIMIT", count .. " " .. policy)
end

return api
