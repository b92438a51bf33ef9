/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps of the shaping stage (abi/shape.h). */
#ifndef NILO_SHAPE_MAPS_H
#define NILO_SHAPE_MAPS_H
#include "abi/shape.h"
#include "lib/maps.h"

/* Key: rule. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NILO_SHAPERS);
	__type(key, __u32);
	__type(value, struct nilo_shaper);
} nilo_shapers SEC(".maps");

/* Key: bucket. Written by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, NILO_BUCKETS);
	__type(key, __u32);
	__type(value, struct nilo_rate);
} nilo_rates SEC(".maps");

/* Key: bucket. Shared by all CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, NILO_BUCKETS);
	__type(key, __u32);
	__type(value, struct nilo_bucket);
} nilo_buckets SEC(".maps");

struct nilo_hashed_key {
	__u64 hash; /* of the flow, or of the host's address */
	__u32 rule;
	__u32 cost; /* low half of the rate: with another rate a bucket starts anew, and full */
};
/* Value: next_ns, as in nilo_bucket. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, NILO_HASHED_BUCKETS);
	__type(key, struct nilo_hashed_key);
	__type(value, __u64);
} nilo_hashed SEC(".maps");

/* Value: the member. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, NILO_SHAPE_NETS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nilo_shape_net);
	__type(value, __u32);
} nilo_shape_nets SEC(".maps");

/* Room for a key of the trie: a program and what it calls share 512 bytes of stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nilo_shape_net);
} nilo_net_scratch SEC(".maps");

/* Key: as nilo_slots. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nilo_chosen);
} nilo_chosens SEC(".maps");

/* Key: nilo_shaper.leaves + member. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NILO_LEAVES);
	__type(key, __u32);
	__type(value, struct nilo_leaf);
} nilo_leaves SEC(".maps");

/* Key: cpu * NILO_SHAPERS + rule. */
NILO_MAPPED_ARRAY(nilo_shaped, struct nilo_shaped);

#endif
