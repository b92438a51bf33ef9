/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where flows are counted: a per-CPU set-associative table that user space reads from mapped memory.
 *
 * A set is one cache line of headers (tags, ages, sequence numbers) for eight slots. Only the owning CPU writes to a set
 * and its slots; a slot's sequence number is odd while the slot is being written and changes with every packet,
 * so a reader sees both a torn read and "nothing new" from the header line alone.
 *
 * A slot that has to make room is *clean* when user space has collected its present sequence number
 * (nilo_seen) and is then dropped, or *dirty* and is then written to the CPU's spill log. If the log is full the
 * slot stays, and the packet that wanted the room is counted in the ledger's overflow bucket.
 */
#ifndef NILO_ABI_FLOW_SLOT_H
#define NILO_ABI_FLOW_SLOT_H
#include "flow_key.h"

#define NILO_WAYS 8

struct nilo_flow_set {
	__u32 seq[NILO_WAYS]; /* odd: being written */
	__u16 tag[NILO_WAYS]; /* 0: the way is empty */
	__u16 age[NILO_WAYS]; /* jiffies >> NILO_AGE_SHIFT of the last packet */
};
#define NILO_AGE_SHIFT 6

/* The sequence numbers that user space has collected, per set. Written by user space alone. */
struct nilo_seen_set {
	__u32 seq[NILO_WAYS];
};

enum nilo_slot_notes {
	NILO_NOTE_SEQ_KNOWN = 1,      /* next_seq is valid */
	NILO_NOTE_SEQ_RESTORED = 2,   /* next_seq came back from an earlier stay in the table */
	NILO_NOTE_SEQ_LOST = 4,       /* joined mid-flow: sequence counts start here, approximate before */
	NILO_NOTE_WIRE_APPROX = 8,    /* a super-packet whose per-segment headers could not be parsed */
	NILO_NOTE_RTT_AMBIGUOUS = 16, /* the SYN was sent more than once: no handshake time */
	NILO_NOTE_COPY = 32           /* the stay began with a copy that a mirror session made, or with its envelope */
};

/*
 * One cache line of what changes with every packet, then the key (whose inner tuple only tunnels touch), then what changes rarely: a
 * packet that is not in a tunnel touches two lines of the three.
 */
struct nilo_flow_slot {
	__u64 skbs;
	__u64 skb_bytes;    /* Ethernet frames without FCS, VLAN tags included, as skbs */
	__u64 wire_packets; /* the segments that were or will be on the wire */
	__u64 wire_bytes;   /* their frames, headers repeated per segment */
	__u32 last_jiffies;
	__u32 min_bytes; /* smallest and largest wire packet */
	__u32 max_bytes;
	__u32 next_seq;   /* TCP: one past the highest byte seen */
	__u32 hole_start; /* TCP: the gap [hole_start, hole_end), equal when there is none */
	__u32 hole_end;
	__u16 tcp_flags; /* all flags seen: FIN 1 … CWR 128, AE 256 */
	__u8 tos;        /* DSCP << 2 | ECN of the latest packet */
	__u8 ttl;        /* of the latest packet */
	__u8 ecn;        /* bit n: codepoint n seen */
	__u8 ttl_min;
	__u8 ttl_max;
	__u8 notes; /* enum nilo_slot_notes */
	struct nilo_flow_key key;
	__u32 first_jiffies;
	__u32 ce_packets;    /* wire packets marked Congestion Experienced (RFC 3168) */
	__u32 retransmitted; /* TCP segments whose bytes had been seen here before */
	__u32 out_of_order;  /* TCP segments that filled a gap seen here */
	__u32 zero_windows;  /* TCP segments that closed the window */
	__u32 handshake_us;  /* SYN to SYN-ACK on the answering flow, SYN-ACK to ACK on the asking one; 0 unknown */
	__u32 generation;    /* of this stay in the slot */
	__u32 ledger;        /* index of the interface's books */
};

/* A dirty slot on its way out: the last word on (slot, generation). */
struct nilo_spill {
	__u32 index; /* of the slot in nilo_slots */
	__u32 seq;
	struct nilo_flow_slot slot;
};

/* Position in a CPU's spill log; both only ever grow. On lines of their own: two CPUs write them. */
struct nilo_log_head {
	__u64 written; /* by the datapath */
	__u64 pad[7];
};
struct nilo_log_tail {
	__u64 taken; /* by user space */
	__u64 pad[7];
};

_Static_assert(sizeof(struct nilo_flow_set) == 64, "nilo_flow_set");
_Static_assert(sizeof(struct nilo_seen_set) == 32, "nilo_seen_set");
_Static_assert(sizeof(struct nilo_flow_slot) == 192, "nilo_flow_slot");
_Static_assert(offsetof(struct nilo_flow_slot, key) == 64, "nilo_flow_slot.key");
_Static_assert(offsetof(struct nilo_flow_slot, tos) == 58, "tos and ttl are compared as one word");
_Static_assert(sizeof(struct nilo_spill) == 200, "nilo_spill");
_Static_assert(sizeof(struct nilo_log_head) == 64 && sizeof(struct nilo_log_tail) == 64, "log positions");
#endif
