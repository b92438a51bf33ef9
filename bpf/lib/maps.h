/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * All maps of the flow programs. Arrays are sized by user space before loading; "per CPU" means part n of a plain array,
 * because a per-CPU array cannot be mapped into user space.
 */
#ifndef NILO_MAPS_H
#define NILO_MAPS_H
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "abi/config.h"
#include "abi/flow_slot.h"
#include "abi/interface.h"
#include "abi/ledger.h"
#include "abi/policy.h"
#include "abi/sample.h"
#include "abi/sketch.h"
#include "lib/packet.h"
#include "lib/segments.h"

/* Set before loading, constant to the verifier. */
const volatile struct nilo_config nilo_config = {};

#define NILO_MAPPED_ARRAY(name, record)            \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);  \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__uint(max_entries, 1);            \
		__type(key, __u32);                \
		__type(value, record);             \
	} name SEC(".maps")

/* Key: cpu * sets + set. The header line of eight slots. */
NILO_MAPPED_ARRAY(nilo_sets, struct nilo_flow_set);
/* Key: (cpu * sets + set) * 8 + way. */
NILO_MAPPED_ARRAY(nilo_slots, struct nilo_flow_slot);
/* Key: cpu * sets + set. Written by user space. */
NILO_MAPPED_ARRAY(nilo_seen, struct nilo_seen_set);
/* Key: cpu * records + (position & mask). Dirty victims. */
NILO_MAPPED_ARRAY(nilo_log, struct nilo_spill);
/* Key: cpu. */
NILO_MAPPED_ARRAY(nilo_log_heads, struct nilo_log_head);
/* Key: cpu. Written by user space. */
NILO_MAPPED_ARRAY(nilo_log_tails, struct nilo_log_tail);
/* Key: (cpu * ledgers + ledger) * 2 + direction. */
NILO_MAPPED_ARRAY(nilo_ledgers, struct nilo_ledger);

/* Key: ifindex & (NILO_PORTS - 1). One per program instance, that is per namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NILO_PORTS);
	__type(key, __u32);
	__type(value, struct nilo_port);
} nilo_ports SEC(".maps");

/* Key: if_id. User space's own memory; no program reads it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct nilo_interface);
} nilo_registry SEC(".maps");

/* One entry: the configuration the maps were made for. User space's own memory, for the next agent. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nilo_config);
} nilo_meta SEC(".maps");

/* Key: hash of a TCP flow. Value: tag << 32 | next_seq, what it had reached when it left its slot; lossy, tagged. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} nilo_ghosts SEC(".maps");

struct nilo_fragment_key {
	__u8 saddr[16];
	__u8 daddr[16];
	__u32 id;
	__u32 if_id;
	__u32 vni;
	__u8 protocol; /* as the fragment's own header names it: over IPv6 perhaps that of an extension header */
	__u8 direction;
	__u16 vlan;
	__u16 inner_vlan;
	__u16 pad;
};
struct nilo_fragment_ports {
	__be16 sport;
	__be16 dport;
	__u8 form;
	__u8 protocol; /* after extension headers */
	__u8 pad[2];
};
/* Datagrams whose first fragment was seen. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct nilo_fragment_key);
	__type(value, struct nilo_fragment_ports);
} nilo_fragments SEC(".maps");

struct nilo_handshake_key {
	__u8 client[16];
	__u8 server[16];
	__be16 client_port;
	__be16 server_port;
	__u32 if_id;
	__u32 vni;
	__u16 vlan;
	__u16 inner_vlan;
	__u8 direction; /* of the SYN */
	__u8 pad[3];
};
struct nilo_handshake {
	__u64 syn_ns;
	__u64 synack_ns;
	__u32 syns;
	__u32 synacks;
};
/* Handshakes under way. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct nilo_handshake_key);
	__type(value, struct nilo_handshake);
} nilo_syns SEC(".maps");

/* One entry: which bank of the policy is in force. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nilo_policy);
} nilo_policies SEC(".maps");

/* Key: bank * NILO_INSTRUCTIONS + instruction. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * NILO_INSTRUCTIONS);
	__type(key, __u32);
	__type(value, struct nilo_instruction);
} nilo_program SEC(".maps");

/* The prefix sets of both banks. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, NILO_PREFIXES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nilo_prefix);
	__type(value, __u32);
} nilo_prefixes SEC(".maps");

/* The rules in force. User space's own memory; no program reads it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nilo_rule_key);
	__type(value, struct nilo_rule);
} nilo_rules SEC(".maps");

/* Key: as nilo_slots. The verdict for the flow that is in the slot. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nilo_remembered);
} nilo_verdicts SEC(".maps");

/* Key: cpu * NILO_SAMPLERS + rule. Sampling rules; the first cache line of each is written by user space. */
NILO_MAPPED_ARRAY(nilo_samplers, struct nilo_sampler);
/* Key: cpu. */
NILO_MAPPED_ARRAY(nilo_sample_heads, struct nilo_sample_head);
/* Key: cpu. Written by user space. */
NILO_MAPPED_ARRAY(nilo_sample_tails, struct nilo_sample_tail);
/* Key: cpu. Value: a ring of samples and NILO_SAMPLE_ROOM behind it; sized by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 8);
} nilo_samples SEC(".maps");

/* Key: cpu. One entry while sketches are off. Not pinned: what is in it is of a second. */
NILO_MAPPED_ARRAY(nilo_sketches, struct nilo_sketch_banks);

/* What a walk through the filter program looks at. */
struct nilo_evaluation {
	__u32 field[NILO_FIELDS];
	__u64 address[NILO_ADDRESSES][2];
	struct nilo_prefix prefix;
	struct nilo_verdict verdict;
};

/* What the stages are told of a packet. */
struct nilo_matched {
	struct nilo_flow_key key;
	struct nilo_facts facts;
	struct nilo_wire wire;
	__u32 place; /* of nilo_account */
	__u32 direction;
	struct nilo_verdict verdict;
	__u32 due; /* of nilo_sample_due */
};

/* Room for the rare paths, which the 512 bytes of stack would not hold. Each member has one user at a time. */
struct nilo_scratch {
	struct nilo_packet packet;
	struct nilo_fragment_key fragment;
	struct nilo_fragment_ports ports;
	struct nilo_handshake_key handshake;
	struct nilo_handshake fresh;
	struct nilo_evaluation evaluation;
	struct nilo_matched matched;
	struct nilo_matched nested; /* of a copy that a mirror session sends while `matched` is in use */
	__u32 depth;                /* 1: such a copy is on its way */
	__u32 reserved;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nilo_scratch);
} nilo_scratchpad SEC(".maps");

static __always_inline struct nilo_scratch *nilo_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nilo_scratchpad, &zero);
}

/* Wake-ups for user space; never a record per packet. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} nilo_events SEC(".maps");

#endif
