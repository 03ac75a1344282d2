/* What benchmark services and limit programs share: clocks, arguments, results.
 *
 * They print their results as lines "BENCH name value" on standard output and end the process themselves. */
#ifndef BASE_H
#define BASE_H

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

/* The same for a time or a number of rounds, of which a quick run takes a quarter. */
static inline long bench_span(const char *args, const char *key, long otherwise) {
	long n = bench_arg(args, key, otherwise);
	return bench_arg(args, "quick", 0) ? (n + 3) / 4 : n;
}

/* Whether the arguments hold "kind=name". */
static inline int bench_is(const char *args, const char *kind) {
	char word[64];
	snprintf(word, sizeof word, "kind=%s", kind);
	const char *p = args ? strstr(args, word) : NULL;
	return p && (p[strlen(word)] == ' ' || p[strlen(word)] == '\0');
}

/* The arguments of a program as one text. */
static inline void bench_join(char *text, size_t size, int argc, char **argv) {
	*text = 0;
	for (int i = 1; i < argc; i++) {
		size_t n = strlen(text);
		snprintf(text + n, size - n, "%s%s", i > 1 ? " " : "", argv[i]);
	}
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

/* Resident memory of the process in bytes. */
static inline double bench_rss(void) {
	long pages = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	if (f == NULL || fscanf(f, "%ld %ld", &pages, &resident) != 2)
		bench_fail("cannot read /proc/self/statm");
	fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static inline int bench_compare(const void *a, const void *b) {
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* Sort and report median, p99, p99.9 and maximum in microseconds, under NAME_median_us and so on. */
static inline void bench_report_ns(const char *name, int64_t *samples, size_t n) {
	const struct { const char *name; size_t at; } part[] = {
		{ "median", n / 2 }, { "p99", n * 99 / 100 }, { "p999", n * 999 / 1000 }, { "max", n - 1 },
	};
	if (n == 0)
		bench_fail("no samples");
	qsort(samples, n, sizeof *samples, bench_compare);
	for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
		char key[64];
		snprintf(key, sizeof key, "%s_%s_us", name, part[i].name);
		bench_report(key, (double)samples[part[i].at] / 1e3);
	}
}

/* A run that counts something for a while. */
struct bench_meter {
	long warm, ms; /* bench_measure fills these in: warm=200 ms=600 */
	uint64_t (*count)(void);
	void (*begin)(void);          /* the warm-up is over; may be NULL */
	void (*end)(double seconds);  /* so long after begin: more results; may be NULL */
};

static inline void *bench_meter_run(void *meter) {
	struct bench_meter *m = meter;
	bench_sleep_ms(m->warm);
	if (m->begin)
		m->begin();
	uint64_t n0 = m->count(), t0 = bench_now(), c0 = bench_clock(CLOCK_PROCESS_CPUTIME_ID);
	/* Longer on a machine that is so busy that nothing has run in this time. */
	for (int i = 0; i < 20 && (i == 0 || m->count() == n0); i++)
		bench_sleep_ms(m->ms);
	uint64_t n1 = m->count(), t1 = bench_now(), c1 = bench_clock(CLOCK_PROCESS_CPUTIME_ID);
	if (n1 == n0)
		bench_fail("nothing happened");
	double seconds = (double)(t1 - t0) / 1e9;
	bench_report("rate", (double)(n1 - n0) / seconds);
	bench_report("cpu_ns", (double)(c1 - c0) / (double)(n1 - n0));
	if (m->end)
		m->end(seconds);
	bench_done();
	return NULL;
}

/* Read the counter before and after the measured phase in a thread of its own, which no worker knows; report the rate
 * and the CPU time of the process for each, and end the run. `meter` has to stay. */
static inline void bench_measure(struct bench_meter *meter, const char *args) {
	meter->warm = bench_span(args, "warm", 200);
	meter->ms = bench_span(args, "ms", 600);
	pthread_t thread;
	if (pthread_create(&thread, NULL, bench_meter_run, meter) != 0)
		bench_fail("pthread_create");
}

/* A counter with one writer, which needs no locked instruction for it. */
static inline void bench_count(_Atomic uint64_t *counter) {
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

#endif
