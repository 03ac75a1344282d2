/*
 * What Rust cannot say: the variadic skynet_error (skynet.h), whose exported name is a jump in src/abi/skynet_error.rs.
 */
#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

struct skynet_context;

#define HIDDEN __attribute__((visibility("hidden")))

/* Takes text over: a malloc'ed block with a NUL behind its len bytes. */
void skynet_rs_error_post(struct skynet_context *context, char *text, size_t len);
/* Whether a service would read a line: formatting is not for free. */
int skynet_rs_error_wanted(void);

static char *raw_text(const char *text, size_t len) {
	char *copy = malloc(len + 1);
	if (copy) {
		if (len > 0)
			memcpy(copy, text, len);
		copy[len] = '\0';
	}
	return copy;
}

HIDDEN void skynet_rs_error_format(struct skynet_context *context, const char *format, ...) {
	va_list args;
	char line[256];
	char *text;
	int len;

	if (format == NULL || !skynet_rs_error_wanted())
		return;
	va_start(args, format);
	if (strcmp(format, "%*s") == 0) {
		/* Bytes as they are. The arguments of printf's own reading of this format are the same. */
		const char *bytes;
		len = va_arg(args, int);
		bytes = va_arg(args, const char *);
		if (len < 0 || bytes == NULL)
			len = 0;
		text = raw_text(bytes, (size_t)len);
	} else {
		va_list again;
		va_copy(again, args);
		len = vsnprintf(line, sizeof(line), format, args);
		if (len < 0) {
			perror("skynet_error");
			text = NULL;
		} else if ((size_t)len < sizeof(line)) {
			text = raw_text(line, (size_t)len);
		} else {
			text = malloc((size_t)len + 1);
			if (text)
				vsnprintf(text, (size_t)len + 1, format, again);
		}
		va_end(again);
	}
	va_end(args);
	if (text)
		skynet_rs_error_post(context, text, (size_t)len);
}
