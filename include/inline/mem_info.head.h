/* Keeps the two halves of AtomicMemInfo apart: threads that allocate do not slow down threads that free. */
#define CACHE_LINE_SIZE 64

/* Bytes and number of blocks, allocated and freed. What is in use is the difference. */
typedef struct {
	size_t alloc;
	size_t alloc_count;
	size_t free;
	size_t free_count;
} MemInfo;

/* The same, for several threads. */
typedef struct {
	alignas(CACHE_LINE_SIZE) ATOM_SIZET alloc;
	ATOM_SIZET alloc_count;
	alignas(CACHE_LINE_SIZE) ATOM_SIZET free;
	ATOM_SIZET free_count;
} AtomicMemInfo;
