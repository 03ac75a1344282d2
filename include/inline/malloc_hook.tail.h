#if SKYNET_API_VERSION < 10400
static inline void memory_info_dump_v1_3_(void) {
	memory_info_dump(0);
}
#define memory_info_dump memory_info_dump_v1_3_
#endif
