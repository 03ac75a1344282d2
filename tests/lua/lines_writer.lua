local skynet = require "skynet"

skynet.start(function()
	skynet.dispatch("lua", function(_, _, writer, lines)
		for i = 1, lines do
			print("line", writer, i, "of", nil)
		end
		skynet.retpack(true)
	end)
end)
