/*
 * Atomic integers for C services and Lua modules: the ATOM_* names over C11 <stdatomic.h> or C++ <atomic>.
 * Compilers without C11 atomics (__STDC_NO_ATOMICS__) and the interfaces before v1.5.0, whose callers
 * apply the operations to plain integers, get the same names over the compiler's builtins.
 *
 * Every operation is sequentially consistent. The ATOM_F* operations give the value from before.
 */
#ifndef SKYNET_ATOMIC_H
#define SKYNET_ATOMIC_H

#include <stddef.h>
#include <stdint.h>
#include "skynet_api.h"

#if defined(__STDC_NO_ATOMICS__) || SKYNET_API_VERSION < 10500
#define SKYNET_ATOMIC_BUILTIN 1
#endif

#ifdef SKYNET_ATOMIC_BUILTIN

#define STD_
#define ATOM_INT volatile int
#define ATOM_POINTER volatile uintptr_t
#define ATOM_SIZET volatile size_t
#define ATOM_ULONG volatile unsigned long

#define atomic_value_type_(p, v) (v)

/* Relaxed: an object that is being initialised has no other user yet. */
#define ATOM_INIT(ref, v) __atomic_store_n((ref), (v), __ATOMIC_RELAXED)
#define ATOM_LOAD(ptr) __atomic_load_n((ptr), __ATOMIC_SEQ_CST)
#define ATOM_STORE(ptr, v) __atomic_store_n((ptr), (v), __ATOMIC_SEQ_CST)
#define ATOM_FADD(ptr, n) __atomic_fetch_add((ptr), (n), __ATOMIC_SEQ_CST)
#define ATOM_FSUB(ptr, n) __atomic_fetch_sub((ptr), (n), __ATOMIC_SEQ_CST)
#define ATOM_FAND(ptr, n) __atomic_fetch_and((ptr), (n), __ATOMIC_SEQ_CST)
#define ATOM_FINC(ptr) ATOM_FADD(ptr, 1)
#define ATOM_FDEC(ptr) ATOM_FSUB(ptr, 1)

/* 1 when *ptr was oval and is nval now, else 0. These take any integer or pointer type. */
#define ATOM_CAS(ptr, oval, nval) __sync_bool_compare_and_swap((ptr), (oval), (nval))
#define ATOM_CAS_ULONG(ptr, oval, nval) ATOM_CAS(ptr, oval, nval)
#define ATOM_CAS_SIZET(ptr, oval, nval) ATOM_CAS(ptr, oval, nval)
#define ATOM_CAS_POINTER(ptr, oval, nval) ATOM_CAS(ptr, oval, nval)

#if SKYNET_API_VERSION < 10500
/* Gone from v1.5.0 on: these give the new value. */
#define ATOM_ADD(ptr, n) __atomic_add_fetch((ptr), (n), __ATOMIC_SEQ_CST)
#define ATOM_SUB(ptr, n) __atomic_sub_fetch((ptr), (n), __ATOMIC_SEQ_CST)
#define ATOM_AND(ptr, n) __atomic_and_fetch((ptr), (n), __ATOMIC_SEQ_CST)
#define ATOM_INC(ptr) ATOM_ADD(ptr, 1)
#define ATOM_DEC(ptr) ATOM_SUB(ptr, 1)
#endif

#else /* C11 or C++11 atomics */

#ifdef __cplusplus
#include <atomic>
#include <type_traits>
#define STD_ std::
/* C++ deduces the operand's type separately: give it the one that the atomic holds. */
#define atomic_value_type_(p, v) \
	static_cast<decltype(std::remove_reference<decltype(*(p))>::type().load())>(v)
#else
#include <stdatomic.h>
#define STD_
#define atomic_value_type_(p, v) (v)
#endif

#define ATOM_INT STD_ atomic_int
#define ATOM_POINTER STD_ atomic_uintptr_t
#define ATOM_SIZET STD_ atomic_size_t
#define ATOM_ULONG STD_ atomic_ulong

#define ATOM_INIT(ref, v) STD_ atomic_init((ref), atomic_value_type_(ref, v))
#define ATOM_LOAD(ptr) STD_ atomic_load((ptr))
#define ATOM_STORE(ptr, v) STD_ atomic_store((ptr), atomic_value_type_(ptr, v))
#define ATOM_FADD(ptr, n) STD_ atomic_fetch_add((ptr), atomic_value_type_(ptr, n))
#define ATOM_FSUB(ptr, n) STD_ atomic_fetch_sub((ptr), atomic_value_type_(ptr, n))
#define ATOM_FAND(ptr, n) STD_ atomic_fetch_and((ptr), atomic_value_type_(ptr, n))
#define ATOM_FINC(ptr) ATOM_FADD(ptr, 1)
#define ATOM_FDEC(ptr) ATOM_FSUB(ptr, 1)

/*
 * Compare and swap: 1 when *ptr was oval and is nval now, else 0. The weak form: it may fail for no reason,
 * so call it in a loop. oval is a value; what was found instead of it is not handed back.
 */
#define SKYNET_DEFINE_CAS_(name, atomic_type, type) \
	static inline int name(STD_ atomic_type *ptr, type oval, type nval) { \
		return STD_ atomic_compare_exchange_weak(ptr, &oval, nval) ? 1 : 0; \
	}
SKYNET_DEFINE_CAS_(ATOM_CAS, atomic_int, int)
SKYNET_DEFINE_CAS_(ATOM_CAS_SIZET, atomic_size_t, size_t)
SKYNET_DEFINE_CAS_(ATOM_CAS_ULONG, atomic_ulong, unsigned long)
SKYNET_DEFINE_CAS_(ATOM_CAS_POINTER, atomic_uintptr_t, uintptr_t)
#undef SKYNET_DEFINE_CAS_

#if SKYNET_API_VERSION < 10600
/* Macros up to v1.5.0: sources test for them with #ifdef. */
#define ATOM_CAS ATOM_CAS
#define ATOM_CAS_POINTER ATOM_CAS_POINTER
#endif

#endif /* SKYNET_ATOMIC_BUILTIN */

#if SKYNET_API_VERSION >= 10500 && defined(__has_attribute)
#if __has_attribute(error)
/* Up to v1.4.0 there were these, over plain integers. A source that brings its own is not disturbed. */
#define SKYNET_GONE_(name, instead) \
	__attribute__((error("gone since v1.5.0: compile with -DSKYNET_API_VERSION=10400, or use " instead))) \
	int name(const volatile void *ptr, ...);
#ifdef __cplusplus
extern "C" {
#endif
SKYNET_GONE_(ATOM_INC, "ATOM_FINC(ptr) + 1")
SKYNET_GONE_(ATOM_DEC, "ATOM_FDEC(ptr) - 1")
SKYNET_GONE_(ATOM_ADD, "ATOM_FADD(ptr, n) + n")
SKYNET_GONE_(ATOM_SUB, "ATOM_FSUB(ptr, n) - n")
SKYNET_GONE_(ATOM_AND, "ATOM_FAND(ptr, n) & n")
#ifdef __cplusplus
}
#endif
#undef SKYNET_GONE_
#endif
#endif

#endif
