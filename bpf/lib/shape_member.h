/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which of a rule's classes or buckets a packet belongs to. */
#ifndef NILO_SHAPE_MEMBER_H
#define NILO_SHAPE_MEMBER_H
#include "lib/account.h"
#include "lib/hash.h"
#include "lib/shape_maps.h"

static __always_inline const __u64 *nilo_end_of(const struct nilo_flow_key *key, int is_source)
{
	return (const __u64 *)(is_source ? key->saddr : key->daddr);
}

static __always_inline __u64 nilo_share_hash(const struct nilo_shaper *s, const struct nilo_flow_key *key)
{
	__u64 seed = nilo_config.hash_seed, h;
	const __u64 *address;

	if (s->aggregation != NILO_SHARE_SOURCE && s->aggregation != NILO_SHARE_DESTINATION)
		return nilo_hash(key);
	address = nilo_end_of(key, s->aggregation == NILO_SHARE_SOURCE);
	h = (address[0] ^ seed) * 0xbf58476d1ce4e5b9ULL;
	h ^= (address[1] + seed) * 0x94d049bb133111ebULL;
	return nilo_fold(h + key->ethertype);
}

/* The member by prefix: looked up once per flow and version of the rule, then remembered with the flow's slot. */
static __always_inline __u32 nilo_net_member(const struct nilo_shaper *s, const struct nilo_matched *m,
					     const struct nilo_flow_key *key)
{
	__u32 index = m->place & NILO_PLACE_SLOT, version = *(volatile __u32 *)&s->version, *found;
	struct nilo_chosen *chosen = m->place & NILO_PLACE_NONE ? NULL : bpf_map_lookup_elem(&nilo_chosens, &index);
	const __u64 *address = nilo_end_of(key, s->aggregation == NILO_SHARE_SOURCE_NET);
	__u32 member = NILO_NO_MEMBER, zero = 0;
	struct nilo_shape_net *net;

	if (likely(chosen && !(m->place & NILO_PLACE_FRESH) && chosen->version == version))
		return chosen->member;
	net = bpf_map_lookup_elem(&nilo_net_scratch, &zero);
	if (net && (key->ethertype == 0x0800 || key->ethertype == 0x86dd)) {
		net->family = key->ethertype == 0x0800 ? 4 : 6;
		net->length = 32 + (net->family == 4 ? 32 : 128);
		net->rule = bpf_htons(m->verdict.shaper);
		((__u64 *)net->address)[0] = address[0];
		((__u64 *)net->address)[1] = address[1];
		found = bpf_map_lookup_elem(&nilo_shape_nets, net);
		if (found)
			member = *found;
	}
	if (chosen) {
		chosen->version = version;
		chosen->member = member;
	}
	return member;
}

/*
 * The leaf class of a flow or host: its own as long as one of eight neighbours is its or has been idle for a second, else the first of
 * them, which it then shares. Two CPUs that take one at the same time share it too.
 */
static __always_inline __u32 nilo_leaf_member(const struct nilo_shaper *s, const struct nilo_flow_key *key)
{
	__u32 now = bpf_jiffies64(), idle = nilo_config.wake_jiffies * 100, mask = s->members - 1, empty = NILO_NO_MEMBER;
	__u64 hash = nilo_share_hash(s, key);
	__u32 home = hash >> 32, tag = (__u32)hash | 1, index;
	struct nilo_leaf *leaf;

#pragma clang loop unroll(disable)
	for (int i = 0; i < NILO_LEAF_WAYS; i++) {
		__u32 member = (home + i) & mask;

		index = s->leaves + member;
		leaf = bpf_map_lookup_elem(&nilo_leaves, &index);
		if (!leaf)
			return 0;
		if (leaf->tag == tag) {
			if (leaf->used != now)
				leaf->used = now;
			return member;
		}
		if (empty == NILO_NO_MEMBER && (!leaf->tag || now - leaf->used > idle))
			empty = member;
	}
	if (empty == NILO_NO_MEMBER)
		return home & mask;
	index = s->leaves + empty;
	leaf = bpf_map_lookup_elem(&nilo_leaves, &index);
	if (leaf) {
		leaf->used = now;
		leaf->tag = tag;
	}
	return empty;
}

#endif
