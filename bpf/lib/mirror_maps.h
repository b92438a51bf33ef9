/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps of mirroring, which the flow programs and the mirror port's programs share. */
#ifndef NILO_MIRROR_MAPS_H
#define NILO_MIRROR_MAPS_H
#include <asm/errno.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "abi/mirror.h"

/* Key: session. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NILO_MIRRORS);
	__type(key, __u32);
	__type(value, struct nilo_mirror);
} nilo_mirrors SEC(".maps");

/* Key: session. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NILO_MIRRORS);
	__type(key, __u32);
	__type(value, struct nilo_mirror_counts);
} nilo_copies SEC(".maps");

/* Key: session. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NILO_MIRRORS);
	__type(key, __u32);
	__type(value, struct nilo_mirror_cap);
} nilo_mirror_cap SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nilo_mirror_now);
} nilo_mirror_now SEC(".maps");

/* What bpf_clone_redirect's result means: an error of its own, or how the device took the copy. */
static __always_inline __u32 nilo_mirror_failure_of(long result)
{
	if (result == -ENETDOWN)
		return NILO_MIRROR_DOWN;
	if (result == -EINVAL || result == -ENODEV)
		return NILO_MIRROR_NO_DEVICE;
	if (result == -ENOMEM)
		return NILO_MIRROR_NO_MEMORY;
	if (result == -ERANGE)
		return NILO_MIRROR_FORM;
	return NILO_MIRROR_REFUSED;
}

#endif
