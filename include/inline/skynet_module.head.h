struct skynet_context;

/*
 * The functions of a C service called x: x_create, x_init, x_release, x_signal. Only x_init has to be there.
 * x_init answers 0 when the service is ready. Without x_create the instance is (void *)~0.
 */
typedef void *(*skynet_dl_create)(void);
typedef int (*skynet_dl_init)(void *inst, struct skynet_context *, const char *parm);
typedef void (*skynet_dl_release)(void *inst);
typedef void (*skynet_dl_signal)(void *inst, int signal);

/* A loaded C service: its name, what dlopen gave for it, and its functions (NULL for those it has not). */
struct skynet_module {
	const char *name;
	void *module;
	skynet_dl_create create;
	skynet_dl_init init;
	skynet_dl_release release;
	skynet_dl_signal signal;
};
