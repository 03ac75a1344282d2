#if SKYNET_API_VERSION < 10600
/* Makes a module known that was not loaded from a file; mod has to stay. */
void skynet_module_insert(struct skynet_module *mod);
#endif
