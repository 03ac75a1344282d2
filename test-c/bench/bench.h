/* What every benchmark service shares: clocks, arguments, results.
 *
 * A benchmark service is started as the node's bootstrap service with arguments such as "run kind=ring actors=100".
 * It prints its results as lines "BENCH name value" on standard output and ends the process itself. */
#ifndef BENCH_H
#define BENCH_H

#include "skynet.h"

#include <stdatomic.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <time.h>
#include <unistd.h>

static inline uint64_t bench_clock(clockid_t id) {
	struct timespec t;
	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t bench_now(void) { return bench_clock(CLOCK_MONOTONIC); }

/* Keep the processor busy for `ns` of wall time. */
static inline void bench_spin(uint64_t ns) {
	uint64_t end = bench_now() + ns;
	while (bench_now() < end) {
	}
}

static inline void bench_sleep_ms(long ms) {
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
	nanosleep(&t, NULL);
}

/* The number behind "key=" in the arguments, or `otherwise`. */
static inline long bench_arg(const char *args, const char *key, long otherwise) {
	size_t n = strlen(key);
	for (const char *p = args; p && (p = strstr(p, key)) != NULL; p += n) {
		if ((p == args || p[-1] == ' ') && p[n] == '=')
			return strtol(p + n + 1, NULL, 10);
	}
	return otherwise;
}

/* Whether the arguments hold "kind=name". */
static inline int bench_is(const char *args, const char *kind) {
	char word[64];
	snprintf(word, sizeof word, "kind=%s", kind);
	const char *p = args ? strstr(args, word) : NULL;
	return p && (p[strlen(word)] == ' ' || p[strlen(word)] == '\0');
}

static inline void bench_report(const char *name, double value) {
	printf("BENCH %s %.9g\n", name, value);
	fflush(stdout);
}

/* End the run at once: what a node does when it stops is not part of any measurement. */
static inline void bench_done(void) {
	fflush(stdout);
	_exit(0);
}

static inline void bench_fail(const char *why) {
	fprintf(stderr, "benchmark service: %s\n", why);
	_exit(3);
}

/* Launch a service and give its handle. */
static inline uint32_t bench_launch(struct skynet_context *ctx, const char *what) {
	const char *text = skynet_command(ctx, "LAUNCH", what);
	if (text == NULL)
		bench_fail("LAUNCH failed");
	return (uint32_t)strtoul(text + 1, NULL, 16);
}

/* Resident memory of the process in bytes. */
static inline double bench_rss(void) {
	long pages = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	if (f == NULL || fscanf(f, "%ld %ld", &pages, &resident) != 2)
		bench_fail("cannot read /proc/self/statm");
	fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static int bench_cmp_u64(const void *a, const void *b) {
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* Sort and report median, p99 and maximum in microseconds, under NAME_median_us and so on. */
static inline void bench_report_ns(const char *name, uint64_t *samples, size_t n) {
	char key[64];
	qsort(samples, n, sizeof *samples, bench_cmp_u64);
	snprintf(key, sizeof key, "%s_median_us", name);
	bench_report(key, (double)samples[n / 2] / 1e3);
	snprintf(key, sizeof key, "%s_p99_us", name);
	bench_report(key, (double)samples[n * 99 / 100] / 1e3);
	snprintf(key, sizeof key, "%s_max_us", name);
	bench_report(key, (double)samples[n - 1] / 1e3);
}

#endif
