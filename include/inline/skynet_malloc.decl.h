#ifndef __cplusplus
/* In C++ the system's headers declare these, with the exception specifications that C++ wants. */
void *skynet_malloc(size_t sz);
void *skynet_calloc(size_t nmemb, size_t size);
void *skynet_realloc(void *ptr, size_t size);
void skynet_free(void *ptr);
void *skynet_memalign(size_t alignment, size_t size);
void *skynet_aligned_alloc(size_t alignment, size_t size);
int skynet_posix_memalign(void **memptr, size_t alignment, size_t size);
#endif

#if SKYNET_API_VERSION <= 10800
/* Copy of a string, to be freed with skynet_free. Later in skynet_imp.h, as an inline. */
char *skynet_strdup(const char *str);
#endif
