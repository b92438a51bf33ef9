/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Making room in a full set. A clean slot (user space has its present state) is dropped, a dirty one is written to this CPU's spill log;
 * either way its counts are in its interface's `retired`. Nothing is ever overwritten that user space cannot still get.
 */
#ifndef NILO_EVICT_H
#define NILO_EVICT_H
#include "lib/handshake.h"
#include "lib/hash.h"
#include "lib/maps.h"
#include "lib/order.h"
#include "lib/sketch.h"

static __always_inline struct nilo_ledger *nilo_ledger_of(__u32 cpu, __u32 ledger, __u32 direction)
{
	__u32 index = (cpu * nilo_config.ledgers + ledger) * 2 + direction;

	return bpf_map_lookup_elem(&nilo_ledgers, &index);
}

static __always_inline void nilo_remember_sequence(const struct nilo_flow_slot *slot)
{
	__u64 hash = nilo_hash(&slot->key);
	__u32 index = hash & nilo_config.ghosts_mask;
	__u64 *ghost = bpf_map_lookup_elem(&nilo_ghosts, &index);

	if (ghost)
		*ghost = (hash & 0xffffffff00000000ULL) | slot->next_seq;
}

static __always_inline void nilo_recall_sequence(struct nilo_flow_slot *slot, __u64 hash)
{
	__u32 index = hash & nilo_config.ghosts_mask;
	__u64 *ghost = bpf_map_lookup_elem(&nilo_ghosts, &index);

	if (ghost && *ghost && *ghost >> 32 == hash >> 32) {
		slot->next_seq = *ghost;
		slot->notes |= NILO_NOTE_SEQ_KNOWN | NILO_NOTE_SEQ_RESTORED;
	}
}

static __always_inline int nilo_log_has_room(const struct nilo_log_head *head, __u32 cpu)
{
	struct nilo_log_tail *tail = bpf_map_lookup_elem(&nilo_log_tails, &cpu);

	return tail && head->written - *(volatile __u64 *)&tail->taken <= nilo_config.log_mask;
}

/* Tells user space that the log is filling, at most once per wake_jiffies. */
static __always_inline void nilo_log_wake(struct nilo_log_head *head, __u32 cpu)
{
	struct nilo_log_tail *tail = bpf_map_lookup_elem(&nilo_log_tails, &cpu);
	__u64 now;

	if (!tail || head->written - tail->taken < nilo_config.log_wake)
		return;
	now = bpf_jiffies64();
	if (now - head->pad[0] >= nilo_config.wake_jiffies) {
		struct nilo_event event = { .type = NILO_EVENT_LOG_FILLING, .cpu = cpu };

		head->pad[0] = now;
		bpf_ringbuf_output(&nilo_events, &event, sizeof(event), BPF_RB_FORCE_WAKEUP);
	}
}

static __always_inline int nilo_spill(struct nilo_log_head *head, __u32 cpu, __u32 slot_index, __u32 seq,
				      const struct nilo_flow_slot *slot)
{
	__u32 index = cpu * (nilo_config.log_mask + 1) + ((__u32)head->written & nilo_config.log_mask);
	struct nilo_spill *record = bpf_map_lookup_elem(&nilo_log, &index);

	if (!record)
		return -1;
	record->index = slot_index;
	record->seq = seq;
	__builtin_memcpy(&record->slot, slot, sizeof(*slot));
	nilo_publish(head->pad[1]);
	*(volatile __u64 *)&head->written = head->written + 1;
	nilo_log_wake(head, cpu);
	return 0;
}

/*
 * Chooses among eight full ways: the longest unused; among equals a clean one. With the log full only clean ones can go.
 * Returns the way, or -1 when nothing can leave.
 */
static __always_inline int nilo_choose_victim(const struct nilo_flow_set *set, const struct nilo_seen_set *seen,
					      __u32 home, __u16 age_now, int log_room, int *clean)
{
	__u32 best = 0;
	int way = -1;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < NILO_WAYS; i++) {
		__u32 w = (home + i) & (NILO_WAYS - 1);
		int is_clean = seen->seq[w] == set->seq[w];
		__u32 score = ((__u32)(__u16)(age_now - set->age[w]) << 1 | is_clean) + 1;

		if (score > best && (is_clean || log_room)) {
			best = score;
			way = w;
			*clean = is_clean;
		}
	}
	return way;
}

/* Empties one way of a full set. Returns the way, or -1 when nothing can leave now. */
static __always_inline int nilo_evict(__u32 cpu, __u32 set_index, __u32 home, __u32 age_now)
{
	struct nilo_flow_set *set = bpf_map_lookup_elem(&nilo_sets, &set_index);
	struct nilo_seen_set *seen = bpf_map_lookup_elem(&nilo_seen, &set_index);
	struct nilo_log_head *head = bpf_map_lookup_elem(&nilo_log_heads, &cpu);
	struct nilo_flow_slot *slot;
	struct nilo_ledger *ledger;
	__u32 slot_index;
	int way, clean = 0;

	if (!set || !seen || !head)
		return -1;
	way = nilo_choose_victim(set, seen, home, age_now, nilo_log_has_room(head, cpu), &clean);
	if (way < 0)
		return -1;
	way = nilo_bounded_way(way);
	slot_index = set_index * NILO_WAYS + way;
	slot = bpf_map_lookup_elem(&nilo_slots, &slot_index);
	if (!slot)
		return -1;
	ledger = nilo_ledger_of(cpu, slot->ledger, slot->key.direction & 1);
	if (ledger && ledger->owner != slot->key.if_id)
		ledger = nilo_ledger_of(cpu, NILO_LEDGER_UNKNOWN, slot->key.direction & 1);
	if (!ledger)
		return -1;
	if (!clean && nilo_spill(head, cpu, slot_index, set->seq[way], slot))
		return -1;
	/* A connection that has ended says nothing of the next one on the same ports. */
	if (slot->notes & NILO_NOTE_SEQ_KNOWN && !(slot->tcp_flags & (NILO_TCP_FIN | NILO_TCP_RST)))
		nilo_remember_sequence(slot);
	ledger->retired.skbs += slot->skbs;
	ledger->retired.skb_bytes += slot->skb_bytes;
	ledger->retired.wire_packets += slot->wire_packets;
	ledger->retired.wire_bytes += slot->wire_bytes;
	ledger->remarks[NILO_REMARK_DROPPED_CLEAN] += clean;
	ledger->remarks[NILO_REMARK_SPILLED] += !clean;
	return way;
}

/*
 * Makes room for a newcomer in a full set; a packet for which there is none is sketched. One function for both, for a return costs as much as
 * the sketch where the CPU has to be kept from speculating on it. Returns the way, or -1.
 * - home_age: the home way << 16 | the age now.
 * - tcp: nilo_sketch_shown.
 */
__noinline int nilo_make_room(__u32 cpu, __u32 set_index, __u32 home_age, const struct nilo_flow_key *key, __u32 tcp)
{
	int way = nilo_evict(cpu, set_index, home_age >> 16, home_age & 0xffff);

	if (nilo_config.features & NILO_FEATURE_SKETCHES && way < 0)
		nilo_sketch(key, cpu, tcp);
	return way;
}

#endif
