/*
 * Sends a line to the service `logger`; nothing happens while there is none. printf's format, with one exception:
 * a format that is exactly "%*s" takes (int length, const char *text) and logs these bytes as they are, zeros included.
 * context may be NULL.
 */
void skynet_error(struct skynet_context *context, const char *msg, ...);
