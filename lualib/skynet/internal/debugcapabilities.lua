--- What the debug adapter tells an editor that it can do: the answer to `initialize`. Part of the debug adapter (debugsession.lua).

local json = require "skynet.internal.json"

return {
	supportsConfigurationDoneRequest = true,
	supportsConditionalBreakpoints = true,
	supportsHitConditionalBreakpoints = true,
	supportsLogPoints = true,
	supportsEvaluateForHovers = true,
	supportsSetVariable = true,
	supportsSetExpression = true,
	supportsExceptionInfoRequest = true,
	supportsTerminateRequest = true,
	supportTerminateDebuggee = true,
	supportsDelayedStackTraceLoading = true,
	supportsSingleThreadExecutionRequests = true,
	supportsVariablePaging = true,
	supportsClipboardContext = true,
	exceptionBreakpointFilters = json.list {
		{
			filter = "uncaught",
			label = "Uncaught Errors",
			description = "Errors that fail a task, a call or the start of a service.",
			-- Who attaches to a node with players is to ask for that.
			default = false,
		},
		{
			filter = "caught",
			label = "Caught Errors",
			description = "Errors that pcall, xpcall or coroutine.resume of the application catch.",
			default = false,
		},
	},
}
