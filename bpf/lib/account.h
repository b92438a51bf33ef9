/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counts a packet exactly once in its interface's books, and exactly once in its flow's slot or in the overflow bucket.
 *
 * A CPU writes only to its own part of the table, and tc programs do not interrupt each other on a CPU (they run with softirqs off), so no
 * atomics are needed. The slot is closed (even sequence number) before the program does anything else with the packet: a clone
 * that is sent from here may enter this program again.
 */
#ifndef NILO_ACCOUNT_H
#define NILO_ACCOUNT_H
#include "lib/evict.h"
#include "lib/segments.h"
#include "lib/tcp.h"

static __always_inline void nilo_add(struct nilo_totals *totals, const struct nilo_facts *p, const struct nilo_wire *wire)
{
	totals->skbs += 1;
	totals->skb_bytes += p->skb_bytes;
	totals->wire_packets += wire->packets;
	totals->wire_bytes += wire->bytes;
}

/* What a search of a set comes to: the way that holds the key, or NILO_ROOM | an empty way, or NILO_FULL. */
#define NILO_ROOM 8
#define NILO_FULL 16

/*
 * Searches a set from the key's home way on. Ways fill in this order and are never emptied, so an empty one ends the search. Only for
 * flows that are not at home; a function of its own, verified once.
 */
__noinline int nilo_search(__u32 set_index, __u32 home, __u32 tag, const struct nilo_flow_key *key)
{
	struct nilo_flow_set *set = bpf_map_lookup_elem(&nilo_sets, &set_index);

	if (!set || !key)
		return NILO_FULL;
	for (__u32 i = 0; i < NILO_WAYS; i++) {
		__u32 way = (home + i) & (NILO_WAYS - 1);
		__u16 there = set->tag[way];

		if (there == (__u16)tag) {
			__u32 index = set_index * NILO_WAYS + way;
			struct nilo_flow_slot *slot = bpf_map_lookup_elem(&nilo_slots, &index);

			if (slot && nilo_key_equal(key, &slot->key))
				return way;
		} else if (!there) {
			return NILO_ROOM | way;
		}
	}
	return NILO_FULL;
}

static __always_inline void nilo_slot_start(struct nilo_flow_slot *slot, const struct nilo_facts *p,
					    const struct nilo_flow_key *key, __u32 ledger, __u32 now, __u64 hash)
{
	__u32 generation = slot->generation + 1;

	__builtin_memset(slot, 0, sizeof(*slot));
	__builtin_memcpy(&slot->key, key, sizeof(slot->key));
	slot->generation = generation;
	slot->ledger = ledger;
	slot->first_jiffies = now;
	slot->min_bytes = 0xffffffff;
	slot->ttl_min = slot->ttl_max = slot->ttl = p->ttl;
	slot->tos = p->tos;
	slot->ecn = 1u << (p->tos & 3);
	if (nilo_config.features & NILO_FEATURE_TCP && p->is_tcp && !(p->tcp_flags & NILO_TCP_SYN))
		nilo_recall_sequence(slot, hash);
}

/* What the IP header says changes rarely: one comparison in the common case. */
static __always_inline void nilo_slot_marks(struct nilo_flow_slot *slot, const struct nilo_facts *p,
					    const struct nilo_wire *wire)
{
	if (likely(slot->tos == p->tos && slot->ttl == p->ttl && (p->tos & 3) != 3))
		return;
	slot->tos = p->tos;
	slot->ttl = p->ttl;
	slot->ecn |= 1u << (p->tos & 3);
	if ((p->tos & 3) == 3)
		slot->ce_packets += wire->packets;
	if (p->ttl < slot->ttl_min)
		slot->ttl_min = p->ttl;
	if (p->ttl > slot->ttl_max)
		slot->ttl_max = p->ttl;
}

static __always_inline void nilo_slot_add(struct nilo_flow_slot *slot, struct nilo_facts *p,
					  const struct nilo_wire *wire, __u32 now)
{
	slot->skbs += 1;
	slot->skb_bytes += p->skb_bytes;
	slot->wire_packets += wire->packets;
	slot->wire_bytes += wire->bytes;
	slot->last_jiffies = now;
	if (unlikely(wire->smallest < slot->min_bytes))
		slot->min_bytes = wire->smallest;
	if (unlikely(wire->largest > slot->max_bytes))
		slot->max_bytes = wire->largest;
	nilo_slot_marks(slot, p, wire);
	if (unlikely(p->remarks & 1u << NILO_REMARK_WIRE_APPROX))
		slot->notes |= NILO_NOTE_WIRE_APPROX;
	if (p->is_tcp) {
		if (nilo_config.features & NILO_FEATURE_TCP)
			nilo_tcp(p, slot, wire);
		else
			slot->tcp_flags |= p->tcp_flags;
	}
}

/* Rare; verified on its own, so that its branches do not multiply the states of what follows. */
__noinline int nilo_remark(struct nilo_ledger *ledger, __u32 remarks)
{
	if (!ledger)
		return 0;
#pragma clang loop unroll(full)
	for (int i = 0; i < NILO_REMARK_SPILLED; i++)
		if (remarks & 1u << i)
			ledger->remarks[i]++;
	return 0;
}

/* More CPUs than the table was made for: counted all the same, in the books of the first one. */
__noinline int nilo_account_elsewhere(__u32 index, __u32 skb_bytes, __u32 packets, __u32 bytes)
{
	struct nilo_ledger *ledger = bpf_map_lookup_elem(&nilo_ledgers, &index);
	struct nilo_totals *lost;

	if (!ledger)
		return 0;
	lost = &ledger->overflow[NILO_OVERFLOW_CPU];
	__sync_fetch_and_add(&ledger->seen.skbs, 1);
	__sync_fetch_and_add(&ledger->seen.skb_bytes, skb_bytes);
	__sync_fetch_and_add(&ledger->seen.wire_packets, packets);
	__sync_fetch_and_add(&ledger->seen.wire_bytes, bytes);
	__sync_fetch_and_add(&lost->skbs, 1);
	__sync_fetch_and_add(&lost->skb_bytes, skb_bytes);
	__sync_fetch_and_add(&lost->wire_packets, packets);
	__sync_fetch_and_add(&lost->wire_bytes, bytes);
	return 0;
}

/* A packet that was counted, and that a rule of the policy now drops. */
static __always_inline void nilo_account_policed(struct __sk_buff *skb, const struct nilo_matched *m)
{
	__u32 cpu = bpf_get_smp_processor_id(), entry = skb->ifindex & (NILO_PORTS - 1);
	const struct nilo_port *port = bpf_map_lookup_elem(&nilo_ports, &entry);
	struct nilo_ledger *ledger;

	if (!port)
		return;
	ledger = nilo_ledger_of(cpu < nilo_config.cpus ? cpu : 0,
				port->ifindex == skb->ifindex ? port->ledger : NILO_LEDGER_UNKNOWN, m->direction);
	if (ledger)
		nilo_add(&ledger->policed, &m->facts, &m->wire);
}

/* Where a packet was counted: the index of its flow's slot, and: */
#define NILO_PLACE_FRESH 0x40000000u /* it is the first of its flow's stay there */
#define NILO_PLACE_NONE 0x80000000u  /* it was counted, but in no slot */
#define NILO_PLACE_YOUNG 0x20000000u /* it is among the first NILO_FIRST_MOST of its flow's stay there */
#define NILO_PLACE_SLOT 0x1fffffffu

/* Returns the place; `at_wire` is what the packet is on the wire. */
static __always_inline __u32 nilo_account(struct __sk_buff *skb, struct nilo_facts *p, const struct nilo_flow_key *key,
					  __u32 ledger_index, __u32 direction, struct nilo_wire *at_wire)
{
	__u32 cpu = bpf_get_smp_processor_id(), set_index, slot_index, way, seq;
	struct nilo_flow_slot *slot;
	struct nilo_ledger *ledger;
	struct nilo_flow_set *set;
	struct nilo_wire wire;
	__u64 hash, now;
	__u16 tag;
	int fresh = 0;

	nilo_segments(skb, p, &wire);
	*at_wire = wire;
	ledger = nilo_ledger_of(cpu, ledger_index, direction);
	if (unlikely(cpu >= nilo_config.cpus || !ledger)) {
		nilo_account_elsewhere(ledger_index * 2 + direction, p->skb_bytes, wire.packets, wire.bytes);
		return NILO_PLACE_NONE;
	}
	nilo_add(&ledger->seen, p, &wire);

	hash = nilo_hash(key);
	set_index = cpu * (nilo_config.sets_mask + 1) + ((__u32)(hash >> 32) & nilo_config.sets_mask);
	tag = hash | 1;
	now = bpf_jiffies64();
	set = bpf_map_lookup_elem(&nilo_sets, &set_index);
	if (!set)
		return NILO_PLACE_NONE;
	way = nilo_bounded_way(hash >> 16);
	slot_index = set_index * NILO_WAYS + way;
	slot = bpf_map_lookup_elem(&nilo_slots, &slot_index);
	if (!slot)
		return NILO_PLACE_NONE;
	if (unlikely(set->tag[way] != tag || !nilo_key_equal(key, &slot->key))) {
		__u32 found = nilo_search(set_index, way, tag, key);

		if (found == NILO_FULL) {
			int freed = nilo_make_room(cpu, set_index, way << 16 | (__u16)(now >> NILO_AGE_SHIFT), key,
						   nilo_sketch_shown(p));

			if (freed < 0) {
				nilo_add(&ledger->overflow[NILO_OVERFLOW_LOG_FULL], p, &wire);
				if (p->remarks)
					nilo_remark(ledger, p->remarks);
				return NILO_PLACE_NONE;
			}
			found = NILO_ROOM | freed;
		}
		fresh = found & NILO_ROOM;
		way = nilo_bounded_way(found);
		slot_index = set_index * NILO_WAYS + way;
		slot = bpf_map_lookup_elem(&nilo_slots, &slot_index);
		if (!slot)
			return NILO_PLACE_NONE;
	}
	seq = set->seq[way];
	*(volatile __u32 *)&set->seq[way] = seq + 1;
	nilo_publish(set->seq[way]);
	if (unlikely(fresh)) {
		set->tag[way] = tag;
		nilo_slot_start(slot, p, key, ledger_index, now, hash);
		if (skb->tc_index == NILO_MIRROR_TAG)
			slot->notes |= NILO_NOTE_COPY;
	}
	nilo_slot_add(slot, p, &wire, now);
	set->age[way] = now >> NILO_AGE_SHIFT;
	nilo_publish(set->seq[way]);
	*(volatile __u32 *)&set->seq[way] = seq + 2;
	if (unlikely(p->remarks))
		nilo_remark(ledger, p->remarks);
	return slot_index | (fresh ? NILO_PLACE_FRESH : 0) | (slot->skbs <= NILO_FIRST_MOST ? NILO_PLACE_YOUNG : 0);
}

#endif
