/*
 * Which generation of the C interface the headers of this directory present.
 *
 * Define SKYNET_API_VERSION before the first include (or with -D) to compile a project that was written
 * for an older core: 10800 for v1.8.0, 10500 for v1.5.0, 10300 for v1.3.0, 10000 for v1.0.0. Other releases
 * work alike, because each difference names the release in which it came. The default is the newest interface.
 * compat/SWAP.md lists what each value changes.
 */
#ifndef SKYNET_API_H
#define SKYNET_API_H

#define SKYNET_API_LATEST 99999

/* Revision of these headers. It changes when a library from before could not serve them. */
#define SKYNET_HEADERS 1

#ifndef SKYNET_API_VERSION
#define SKYNET_API_VERSION SKYNET_API_LATEST
#endif

#if SKYNET_API_VERSION < 10000
#error "SKYNET_API_VERSION: the oldest supported interface is 10000 (v1.0.0)"
#elif SKYNET_API_VERSION > SKYNET_API_LATEST
#error "SKYNET_API_VERSION: these headers do not know such a new interface; 10800 is v1.8.0"
#endif

#endif
