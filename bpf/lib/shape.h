/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Puts a packet into its class, gives it a departure time, or polices it, by the rule that matched (verdict.shaper); and writes its DSCP.
 * Accounting has seen it before, as it came.
 */
#ifndef NILO_SHAPE_H
#define NILO_SHAPE_H
#include <linux/pkt_cls.h>
#include "lib/shape_bucket.h"
#include "lib/shape_tos.h"

/* Counters of this CPU. CPUs beyond those that the table was made for share the first one's. */
static __always_inline struct nilo_shaped *nilo_shaped_of(__u32 rule)
{
	__u32 cpu = bpf_get_smp_processor_id(), index;

	index = (cpu < nilo_config.cpus ? cpu : 0) * NILO_SHAPERS + rule;
	return bpf_map_lookup_elem(&nilo_shaped, &index);
}

/* Looked up anew each time: what lives through all of the stage lives on its stack, which has 128 bytes at most. */
static __always_inline void nilo_shape_failed(const struct nilo_matched *m, enum nilo_shape_failure failure)
{
	struct nilo_shaped *shaped = nilo_shaped_of(m->verdict.shaper);

	if (shaped)
		shaped->failures[failure]++;
}

/* The bucket of the host or flow; NULL where there is no room for one. */
static __always_inline __u64 *nilo_hashed_bucket(const struct nilo_shaper *s, __u32 rule, __u32 cost,
						 const struct nilo_flow_key *key)
{
	struct nilo_hashed_key at = { .hash = nilo_share_hash(s, key), .rule = rule, .cost = cost };
	__u64 *next = bpf_map_lookup_elem(&nilo_hashed, &at), zero = 0;

	if (likely(next))
		return next;
	/* Another CPU may be first: look again rather than ask who won. */
	bpf_map_update_elem(&nilo_hashed, &at, &zero, BPF_NOEXIST);
	return bpf_map_lookup_elem(&nilo_hashed, &at);
}

/*
 * By token bucket. Returns TC_ACT_SHOT for a packet that is to be dropped, else TC_ACT_UNSPEC.
 * - tos: CE is added where the packet is late and can carry it.
 */
static __always_inline int nilo_meter(struct __sk_buff *skb, const struct nilo_shaper *s, const struct nilo_matched *m,
				      const struct nilo_flow_key *key, __u8 *tos)
{
	int departs = s->mechanism == NILO_SHAPE_DEPART;
	__u32 index = s->first, member;
	struct nilo_bucket *bucket;
	struct nilo_rate *rate;
	__u64 *next, now, cost;
	__s64 wait;

	if (s->aggregation >= NILO_SHARE_SOURCE_NET) {
		member = nilo_net_member(s, m, key);
		if (member >= s->members) {
			nilo_shape_failed(m, NILO_SHAPE_OUTSIDE);
			return TC_ACT_UNSPEC;
		}
		index += member;
	}
	rate = bpf_map_lookup_elem(&nilo_rates, &index);
	bucket = bpf_map_lookup_elem(&nilo_buckets, &index);
	if (!rate || !bucket)
		return TC_ACT_UNSPEC;
	next = &bucket->next_ns;
	if (s->aggregation != NILO_SHARE_ALL && s->aggregation < NILO_SHARE_SOURCE_NET) {
		__u64 *own = nilo_hashed_bucket(s, m->verdict.shaper, rate->cost, key);

		if (likely(own))
			next = own;
		else
			nilo_shape_failed(m, NILO_SHAPE_NO_ROOM);
	}
	now = bpf_ktime_get_ns();
	cost = ((m->wire.bytes + (__u64)m->wire.packets * s->overhead) * rate->cost) >> NILO_COST_SHIFT;
	wait = nilo_charge(next, now, departs ? skb->tstamp : 0, cost, rate->limit_ns, departs);
	if (wait < 0) {
		if (unlikely(wait == NILO_CHARGE_CONTENDED))
			nilo_shape_failed(m, NILO_SHAPE_CONTENDED);
		__sync_fetch_and_add(&bucket->dropped_packets, m->wire.packets);
		__sync_fetch_and_add(&bucket->dropped_bytes, m->wire.bytes);
		return TC_ACT_SHOT;
	}
	__sync_fetch_and_add(&bucket->packets, m->wire.packets);
	__sync_fetch_and_add(&bucket->bytes, m->wire.bytes);
	if (s->flags & NILO_SHAPER_ECN && (__u64)wait > rate->mark_ns && *tos & NILO_ECN_CE &&
	    (*tos & NILO_ECN_CE) != NILO_ECN_CE)
		*tos |= NILO_ECN_CE;
	if (departs && bpf_skb_set_tstamp(skb, now + wait, BPF_SKB_TSTAMP_DELIVERY_MONO))
		nilo_shape_failed(m, NILO_SHAPE_NO_DEPARTURE);
	return TC_ACT_UNSPEC;
}

/* The HTB class, for the root qdisc to find in skb->priority. */
static __always_inline void nilo_classify(struct __sk_buff *skb, const struct nilo_shaper *s,
					  const struct nilo_matched *m, const struct nilo_flow_key *key)
{
	__u32 member = 0;

	if (s->aggregation >= NILO_SHARE_SOURCE_NET) {
		member = nilo_net_member(s, m, key);
		if (member >= s->members) {
			nilo_shape_failed(m, NILO_SHAPE_OUTSIDE);
			return;
		}
	} else if (s->members > 1) {
		member = nilo_leaf_member(s, key);
	}
	skb->priority = s->first + member;
}

__noinline int nilo_shape(struct __sk_buff *skb, const struct nilo_matched *m, const struct nilo_flow_key *key)
{
	const struct nilo_shaper *s;
	struct nilo_shaped *shaped;
	int action = TC_ACT_UNSPEC;
	__u32 rule;
	__u8 tos;

	if (!m || !key)
		return TC_ACT_UNSPEC;
	rule = m->verdict.shaper;
	s = bpf_map_lookup_elem(&nilo_shapers, &rule);
	/* No version: the rule was taken away a moment ago. */
	if (!s || !s->version)
		return TC_ACT_UNSPEC;
	tos = m->facts.tos;
	if (s->mechanism == NILO_SHAPE_CLASS)
		nilo_classify(skb, s, m, key);
	else if (s->mechanism != NILO_SHAPE_NOTHING)
		action = nilo_meter(skb, s, m, key, &tos);
	shaped = nilo_shaped_of(m->verdict.shaper);
	if (!shaped)
		return action;
	if (action == TC_ACT_SHOT) {
		shaped->dropped_skbs++;
		shaped->dropped_packets += m->wire.packets;
		shaped->dropped_bytes += m->wire.bytes;
		nilo_account_policed(skb, m);
		return TC_ACT_SHOT;
	}
	shaped->skbs++;
	shaped->packets += m->wire.packets;
	shaped->bytes += m->wire.bytes;
	if ((tos & NILO_ECN_CE) != (m->facts.tos & NILO_ECN_CE))
		shaped->marked_packets += m->wire.packets;
	if (s->dscp != NILO_DSCP_KEEP)
		tos = s->dscp << 2 | (tos & NILO_ECN_CE);
	if (unlikely(tos != m->facts.tos) && (key->ethertype == 0x0800 || key->ethertype == 0x86dd) &&
	    nilo_write_tos(skb, key, tos))
		shaped->failures[NILO_SHAPE_NOT_WRITTEN]++;
	return TC_ACT_UNSPEC;
}

#endif
