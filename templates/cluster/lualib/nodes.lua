-- Where the nodes of the cluster listen.
return {
	db = "127.0.0.1:2528",
	game = "127.0.0.1:2529",
}
