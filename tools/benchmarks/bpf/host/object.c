/* SPDX-License-Identifier: Apache-2.0 */
#include "CBench.h"

/* Made by the BPFCompile plugin from bench.bpf.c. */
extern const unsigned char bench_bpf_object[];
extern const unsigned long bench_bpf_object_size;

const void *bench_object(void)
{
	return bench_bpf_object;
}
size_t bench_object_size(void)
{
	return bench_bpf_object_size;
}
