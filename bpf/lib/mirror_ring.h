/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hands a copy to user space, by the ring of samples: a record whose rule is NILO_CAPTURES + session (abi/mirror.h). A capture is no
 * sample: it has no hits, so no estimate counts it.
 */
#ifndef NILO_MIRROR_RING_H
#define NILO_MIRROR_RING_H
#include "lib/account.h"
#include "lib/mirror_maps.h"
#include "lib/sample.h"

/* Returns enum nilo_mirror_outcome. */
static __always_inline __u32 nilo_capture(struct __sk_buff *skb, const struct nilo_mirror *mirror,
					  const struct nilo_mirror_now *c, const struct nilo_flow_key *key,
					  __u32 session, struct nilo_mirror_counts *counts)
{
	__u32 cpu = bpf_get_smp_processor_id(), snap = mirror->snap, bytes;
	struct nilo_sample_head *head = bpf_map_lookup_elem(&nilo_sample_heads, &cpu);
	struct nilo_sample_tail *tail = bpf_map_lookup_elem(&nilo_sample_tails, &cpu);
	void *ring = bpf_map_lookup_elem(&nilo_samples, &cpu);
	struct nilo_sample *sample;
	const __u64 *from = (const __u64 *)key;
	__u64 waiting, *to;

	if (!head || !tail || !ring)
		return NILO_MIRROR_FAILED + NILO_MIRROR_NO_DEVICE;
	if (snap > skb->len)
		snap = skb->len;
	if (snap > NILO_SNAP_MOST)
		snap = NILO_SNAP_MOST;
	bytes = sizeof(*sample) + ((snap + 7) & ~7u);
	waiting = head->written - *(volatile __u64 *)&tail->taken + bytes;
	nilo_sample_wake(head, waiting, cpu);
	if (unlikely(waiting > (__u64)nilo_config.sample_mask + 1)) {
		head->lost[NILO_SAMPLE_RING_FULL]++;
		return NILO_MIRROR_FAILED + NILO_MIRROR_RING_FULL;
	}
	sample = ring + (head->written & nilo_config.sample_mask);
	if (snap && nilo_sample_copy(skb, sample + 1, snap)) {
		head->lost[NILO_SAMPLE_UNREADABLE]++;
		return NILO_MIRROR_FAILED + NILO_MIRROR_FORM;
	}
	sample->bytes = bytes;
	sample->snap = snap;
	sample->rule = NILO_CAPTURES + session;
	sample->reasons = skb->vlan_present ? NILO_SAMPLE_TAG_APART : 0;
	sample->hits = 0;
	sample->one_in = 0;
	sample->wire_packets = c->totals.wire_packets;
	sample->wire_bytes = c->totals.wire_bytes;
	sample->skb_bytes = c->totals.skb_bytes;
	sample->ifindex = skb->ifindex;
	sample->ingress_ifindex = skb->ingress_ifindex;
	sample->epoch = mirror->generation;
	sample->time_ns = bpf_ktime_get_ns();
	sample->packets = counts->matched.wire_packets;
	sample->lost[0] = head->lost[0];
	sample->lost[1] = head->lost[1];
	to = (__u64 *)&sample->key;
#pragma clang loop unroll(full)
	for (int i = 0; i < NILO_KEY_WORDS; i++)
		to[i] = from[i];
	nilo_publish(head->pad[0]);
	*(volatile __u64 *)&head->written += bytes;
	if (snap < skb->len)
		counts->truncated++;
	return NILO_MIRROR_SENT;
}

#endif
