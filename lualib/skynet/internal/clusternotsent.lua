--- What a clustersender answers to who wants to know that nothing of a request was sent: it may be tried elsewhere. No service
--- returns that.
return "\0skynet.cluster: nothing was sent\0"
