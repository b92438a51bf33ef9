/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Store ordering between a program and user space that reads the same mapped memory.
 *
 * x86 keeps stores in order, so holding back the compiler is enough. Elsewhere an atomic with a result is the one full barrier
 * that instruction set v3 has.
 */
#ifndef NILO_ORDER_H
#define NILO_ORDER_H

#if defined(__TARGET_ARCH_x86)
#define nilo_publish(word) asm volatile("" ::: "memory")
#else
#define nilo_publish(word) (void)__sync_fetch_and_add(&(word), 0)
#endif

/* Masks a way so that the verifier sees it: the compiler would leave out a mask that it can prove needless. */
#define nilo_bounded_way(way)                            \
	({                                               \
		__u64 bounded = (__u32)(way);            \
		asm volatile("%0 &= 7" : "+r"(bounded)); \
		(__u32) bounded;                         \
	})

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#endif
