/* A module without the one function that a module must have. */
#include "probe.h"

void *noinit_create(void)
{
	fprintf(stderr, "created\n");
	return malloc(1);
}
