/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The books of one interface and direction, per CPU. They close at any time:
 *
 *	seen = flows in slots + retired + the sum of overflow[]
 *
 * `retired` are flows that have left their slot, to the spill log or because user space had them already.
 * All counters only ever grow.
 */
#ifndef NILO_ABI_LEDGER_H
#define NILO_ABI_LEDGER_H
#include <linux/types.h>

struct nilo_totals {
	__u64 skbs;
	__u64 skb_bytes;
	__u64 wire_packets;
	__u64 wire_bytes;
};

/* Why a packet was counted on the interface but not in a flow. */
enum nilo_overflow {
	NILO_OVERFLOW_LOG_FULL = 0, /* no slot could be emptied: user space has not kept up */
	NILO_OVERFLOW_CPU = 1,      /* the packet ran on a CPU that has no part of the table */
	NILO_OVERFLOW_REASONS = 2
};

/* Packets that are in a flow, and something about them deserves a count. */
enum nilo_remark {
	NILO_REMARK_TRUNCATED_L3 = 0,    /* the network header is cut off or malformed: counted by ethertype */
	NILO_REMARK_TRUNCATED_L4 = 1,    /* the transport header is cut off or malformed: counted without ports */
	NILO_REMARK_FRAGMENT_ORPHAN = 2, /* a later fragment whose first one is unknown: counted without ports */
	NILO_REMARK_EXTENSIONS = 3,      /* more IPv6 extension headers than are followed */
	NILO_REMARK_TABLE_FULL = 4,      /* a fragment or handshake could not be remembered */
	NILO_REMARK_WIRE_APPROX = 5,   /* a super-packet in a tunnel that is not parsed: wire bytes are a lower bound */
	NILO_REMARK_SPILLED = 6,       /* flows that left their slot through the log */
	NILO_REMARK_DROPPED_CLEAN = 7, /* flows that left their slot already collected */
	NILO_REMARKS = 8
};

struct nilo_ledger {
	struct nilo_totals seen;
	struct nilo_totals retired;
	struct nilo_totals overflow[NILO_OVERFLOW_REASONS];
	__u64 remarks[NILO_REMARKS];
	/* The if_id whose books these are. Books are given to another interface when theirs is gone; what of it is still in slots then
	   retires into the books of the unknown. */
	__u32 owner;
	__u32 reserved;
	/* Of what was seen: dropped by a rule of the policy. */
	struct nilo_totals policed;
	__u64 pad[3];
};

_Static_assert(sizeof(struct nilo_ledger) == 256, "nilo_ledger");
#endif
