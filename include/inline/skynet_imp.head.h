/* Classes of threads. skynet_current_handle outside of a callback answers (uint32_t)(-class). */
#define THREAD_WORKER 0
#define THREAD_MAIN 1
#define THREAD_SOCKET 2
#define THREAD_TIMER 3
#define THREAD_MONITOR 4

/* What a node starts with. The strings have to stay until skynet_start returns. */
struct skynet_config {
	int thread;              /* number of worker threads */
	int harbor;              /* id of this node, 1..255, or 0 without a harbor network */
#if SKYNET_API_VERSION >= 10100
	int profile;             /* not 0: measure the CPU time of every service */
#endif
	const char *daemon;      /* file for the process id, or NULL to stay in the foreground */
	const char *module_path; /* where C services are: patterns with a ?, separated by ; */
	const char *bootstrap;   /* first service: its name, a space, its argument */
	const char *logger;      /* argument of the log service, or NULL */
	const char *logservice;  /* name of the log service */
};
