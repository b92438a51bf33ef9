/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hands samples of packets to user space, by the rule that matched (abi/sample.h). A packet that is not taken costs a countdown.
 *
 * A CPU writes to its own part alone and tc programs do not interrupt each other on a CPU, so no lock is needed; the kernel's ring buffer
 * would take one per sample.
 */
#ifndef NILO_SAMPLE_H
#define NILO_SAMPLE_H
#include <linux/pkt_cls.h>
#include "lib/maps.h"
#include "lib/order.h"
#include "lib/skip.h"

/* What is to be taken of a packet: hits << 8 | reasons; 0: nothing. */
#define NILO_DUE_HITS(due) ((due) >> 8)
#define NILO_DUE_REASONS(due) ((due)&0xff)

/* The hits among the packets up to the number `last`. */
struct nilo_drawing {
	__u64 last;
	__u64 next;
	__u32 inverse;
	__u32 shift;
	__u32 hits;
	__u32 unused;
};

static int nilo_draw(__u32 step, struct nilo_drawing *d)
{
	if (d->next > d->last)
		return 1;
	d->hits++;
	d->next += nilo_skip(d->inverse, d->shift);
	return 0;
}

/* Takes over what user space has written, and draws anew. */
__noinline int nilo_sampler_adopt(struct nilo_sampler *s)
{
	__u32 version;

	if (!s)
		return 0;
	version = *(volatile __u32 *)&s->version;
	if (version & 1)
		return 0;
	nilo_publish(s->unused2);
	s->in_force = s->one_in;
	s->inverse_in_force = s->inverse;
	s->shift_in_force = s->shift;
	s->first_in_force = s->first_packets;
	s->always_in_force = s->always;
	s->snap_in_force = s->snap;
	s->epoch_in_force = s->epoch;
	nilo_publish(s->unused2);
	if (*(volatile __u32 *)&s->version != version) {
		/* Written over meanwhile: what was read belongs to no version. */
		s->in_force = s->first_in_force = 0;
		s->always_in_force = 0;
	} else {
		s->adopted = version;
	}
	s->beside = s->first_in_force | s->always_in_force;
	s->next = s->in_force ? s->packets + nilo_skip(s->inverse_in_force, s->shift_in_force) : ~0ULL;
	return 0;
}

/* The hits among the `packets` counted last, which reach the next one. */
__noinline int nilo_sample_hits(struct nilo_sampler *s, __u32 packets)
{
	struct nilo_drawing d = {};

	if (!s)
		return 0;
	if (unlikely(!s->in_force)) {
		s->next = ~0ULL;
		return 0;
	}
	if (s->in_force == 1)
		return packets;
	if (likely(packets == 1)) {
		s->next += nilo_skip(s->inverse_in_force, s->shift_in_force);
		return 1;
	}
	d.last = s->packets;
	d.next = s->next;
	d.inverse = s->inverse_in_force;
	d.shift = s->shift_in_force;
	bpf_loop(0xffff, nilo_draw, &d, 0);
	s->next = d.next;
	return d.hits;
}

/*
 * Reasons other than chance.
 * - tcp_flags: 0 where the packet is not TCP.
 */
__noinline int nilo_sample_beside(const struct nilo_sampler *s, __u32 place, __u32 tcp_flags)
{
	__u32 reasons = 0, index = place & NILO_PLACE_SLOT;
	const struct nilo_flow_slot *slot;

	if (!s)
		return 0;
	if (tcp_flags & s->always_in_force)
		reasons = NILO_SAMPLE_FLAGS;
	if (!s->first_in_force || place & NILO_PLACE_NONE)
		return reasons;
	slot = bpf_map_lookup_elem(&nilo_slots, &index);
	if (slot && slot->skbs <= s->first_in_force)
		reasons |= NILO_SAMPLE_FIRST;
	return reasons;
}

/* Returns what is to be taken of a packet. On a CPU without a part of the tables nothing is; its packets are in the books as such. */
static __always_inline __u32 nilo_sample_due(__u32 rule, __u32 place, const struct nilo_facts *f,
					     const struct nilo_wire *wire)
{
	__u32 index = bpf_get_smp_processor_id() * NILO_SAMPLERS + (rule & (NILO_SAMPLERS - 1)), due = 0;
	struct nilo_sampler *s = bpf_map_lookup_elem(&nilo_samplers, &index);

	if (unlikely(!s))
		return 0;
	if (unlikely(*(volatile __u32 *)&s->version != s->adopted))
		nilo_sampler_adopt(s);
	s->packets += wire->packets;
	s->bytes += wire->bytes;
	if (unlikely(s->packets >= s->next)) {
		__u32 hits = nilo_sample_hits(s, wire->packets);

		due = hits << 8 | (hits ? NILO_SAMPLE_RANDOM : 0);
	}
	if (unlikely(s->beside))
		due |= nilo_sample_beside(s, place, f->is_tcp ? f->tcp_flags : 0);
	return due;
}

/* Whether a packet is one for NILO_SAMPLER_FIRST. A flood of flows has but its share: the ring is the rules' as well. */
__noinline int nilo_first_due(__u32 place, __u32 ethertype)
{
	__u32 cpu = bpf_get_smp_processor_id(), index = cpu * NILO_SAMPLERS + NILO_SAMPLER_FIRST;
	struct nilo_sample_head *head = bpf_map_lookup_elem(&nilo_sample_heads, &cpu);
	struct nilo_sampler *s = bpf_map_lookup_elem(&nilo_samplers, &index);
	__u64 now;

	if (!s || !head)
		return 0;
	if (unlikely(*(volatile __u32 *)&s->version != s->adopted))
		nilo_sampler_adopt(s);
	if (!nilo_sample_beside(s, place, 0) && !(ethertype == NILO_FIRST_ETHERTYPE && s->first_in_force))
		return 0;
	now = bpf_jiffies64();
	if (now - head->first_window >= s->window) {
		head->first_window = now;
		head->first_taken = 0;
	}
	if (unlikely(head->first_taken >= s->most)) {
		head->first_over++;
		return 0;
	}
	head->first_taken++;
	return NILO_SAMPLE_FIRST;
}

static __always_inline void nilo_sample_wake(struct nilo_sample_head *head, __u64 waiting, __u32 cpu)
{
	__u64 now;

	if (likely(waiting < (nilo_config.sample_mask + 1) / 4))
		return;
	now = bpf_jiffies64();
	if (now - head->woken >= nilo_config.wake_jiffies) {
		struct nilo_event event = { .type = NILO_EVENT_SAMPLES_FILLING, .cpu = cpu };

		head->woken = now;
		bpf_ringbuf_output(&nilo_events, &event, sizeof(event), BPF_RB_FORCE_WAKEUP);
	}
}

static __always_inline int nilo_sample_lost(struct nilo_sampler *s, struct nilo_sample_head *head, __u32 why, __u32 due)
{
	s->lost[why]++;
	s->lost_hits += NILO_DUE_HITS(due);
	head->lost[why]++;
	return TC_ACT_UNSPEC;
}

static __always_inline void nilo_sample_fill(struct nilo_sample *sample, struct __sk_buff *skb,
					     const struct nilo_matched *m, const struct nilo_flow_key *key)
{
	const __u64 *from = (const __u64 *)key;
	__u64 *to = (__u64 *)&sample->key;

	sample->wire_packets = m->wire.packets;
	sample->wire_bytes = m->wire.bytes;
	sample->skb_bytes = m->facts.skb_bytes;
	sample->ifindex = skb->ifindex;
	sample->ingress_ifindex = skb->ingress_ifindex;
	sample->time_ns = bpf_ktime_get_ns();
#pragma clang loop unroll(full)
	for (int i = 0; i < NILO_KEY_WORDS; i++)
		to[i] = from[i];
}

/* snap: 1 ... NILO_SNAP_MOST, which the verifier sees by the mask. */
static __always_inline long nilo_sample_copy(struct __sk_buff *skb, void *to, __u32 snap)
{
	__u64 last = snap - 1;

	asm volatile("%0 &= %1" : "+r"(last) : "i"(NILO_SNAP_MOST - 1));
	return bpf_skb_load_bytes(skb, 0, to, last + 1);
}

/* due: of nilo_sample_due, not 0. */
__noinline int nilo_sample(struct __sk_buff *skb, const struct nilo_matched *m, const struct nilo_flow_key *key, __u32 due)
{
	__u32 cpu = bpf_get_smp_processor_id(), index, snap, bytes;
	struct nilo_sample_head *head = bpf_map_lookup_elem(&nilo_sample_heads, &cpu);
	struct nilo_sample_tail *tail = bpf_map_lookup_elem(&nilo_sample_tails, &cpu);
	void *ring = bpf_map_lookup_elem(&nilo_samples, &cpu);
	struct nilo_sample *sample;
	struct nilo_sampler *s;
	__u64 waiting, offset;

	if (!m || !key || !head || !tail || !ring)
		return TC_ACT_UNSPEC;
	index = cpu * NILO_SAMPLERS + (m->verdict.sampler & (NILO_SAMPLERS - 1));
	s = bpf_map_lookup_elem(&nilo_samplers, &index);
	if (!s)
		return TC_ACT_UNSPEC;
	snap = s->snap_in_force;
	if (snap > skb->len)
		snap = skb->len;
	if (snap > NILO_SNAP_MOST)
		snap = NILO_SNAP_MOST;
	bytes = sizeof(*sample) + ((snap + 7) & ~7u);
	waiting = head->written - *(volatile __u64 *)&tail->taken + bytes;
	if (unlikely(waiting > (__u64)nilo_config.sample_mask + 1)) {
		nilo_sample_wake(head, waiting, cpu);
		return nilo_sample_lost(s, head, NILO_SAMPLE_RING_FULL, due);
	}
	offset = head->written & nilo_config.sample_mask;
	sample = ring + offset;
	if (snap && nilo_sample_copy(skb, sample + 1, snap))
		return nilo_sample_lost(s, head, NILO_SAMPLE_UNREADABLE, due);
	sample->bytes = bytes;
	sample->snap = snap;
	sample->rule = m->verdict.sampler;
	sample->reasons = NILO_DUE_REASONS(due) | (skb->vlan_present ? NILO_SAMPLE_TAG_APART : 0);
	sample->hits = NILO_DUE_HITS(due);
	sample->one_in = s->in_force;
	sample->epoch = s->epoch_in_force;
	sample->packets = s->packets;
	sample->lost[0] = head->lost[0];
	sample->lost[1] = head->lost[1];
	nilo_sample_fill(sample, skb, m, key);
	nilo_publish(head->pad[0]);
	*(volatile __u64 *)&head->written += bytes;
	s->samples++;
	s->hits += NILO_DUE_HITS(due);
	s->taken[0] += due & 1;
	s->taken[1] += due >> 1 & 1;
	s->taken[2] += due >> 2 & 1;
	nilo_sample_wake(head, waiting, cpu);
	return TC_ACT_UNSPEC;
}

#endif
