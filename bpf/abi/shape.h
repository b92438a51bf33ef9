/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Shaping rules as the programs read them. A rule of the policy that applies to several interfaces is several of these, one each, so that
 * every interface has its own rates.
 *
 * Rates are apart from rules and from the buckets' state: user space writes them into mapped memory while packets pass.
 */
#ifndef NILO_ABI_SHAPE_H
#define NILO_ABI_SHAPE_H
#include <linux/types.h>
#include "policy.h"

#define NILO_CLASS_MAJOR 0x4e49 /* of the HTB qdisc that is ours, and of its classes */

#define NILO_BUCKETS 34816 /* n < NILO_SHAPERS is that of rule n as a whole; the others are members' */
#define NILO_MEMBER_BUCKETS (NILO_BUCKETS - NILO_SHAPERS)
#define NILO_HASHED_BUCKETS 65536 /* of hosts and flows */
#define NILO_LEAVES 131072        /* leaf classes that flows or hosts are hashed to, of all rules */
#define NILO_LEAF_WAYS 8          /* a flow's leaf is one of so many that follow each other */
#define NILO_SHAPE_NETS 65536     /* prefixes of all rules */

/* A rate is `cost` nanoseconds per byte, times 2^20; so 2^43 is the highest, and 1 kbit/s the lowest rate. */
#define NILO_COST_SHIFT 20
#define NILO_COST_MAX (1ULL << 43)

#define NILO_DSCP_KEEP 0xff

enum nilo_mechanism {
	NILO_SHAPE_NOTHING = 0, /* DSCP and counters alone */
	NILO_SHAPE_CLASS = 1,   /* skb->priority names an HTB class */
	NILO_SHAPE_POLICE = 2,  /* pass, mark or drop by a token bucket */
	NILO_SHAPE_DEPART = 3,  /* a departure time for the fq qdisc */
};

/* Which packets share a rate. */
enum nilo_aggregation {
	NILO_SHARE_ALL = 0, /* with several leaf classes: flows are hashed to them, for fairness */
	NILO_SHARE_SOURCE = 1,
	NILO_SHARE_DESTINATION = 2,
	NILO_SHARE_FLOW = 3,
	NILO_SHARE_SOURCE_NET = 4, /* nilo_shape_nets gives the member */
	NILO_SHARE_DESTINATION_NET = 5,
};

enum nilo_shaper_flags {
	NILO_SHAPER_ECN = 1, /* mark Congestion Experienced where a packet can carry it (RFC 3168) */
};

struct nilo_shaper {
	__u32 version;  /* 0: no rule. Another number whenever a member may have changed; no two rules have the same */
	__u8 mechanism; /* enum nilo_mechanism */
	__u8 aggregation; /* enum nilo_aggregation */
	__u8 dscp;        /* written into packets, or NILO_DSCP_KEEP */
	__u8 flags;       /* enum nilo_shaper_flags */
	__u32 first;      /* class of member 0 (major << 16 | minor), or its bucket */
	__u32 members; /* classes or buckets that follow each other; a power of two where flows or hosts are hashed to leaves */
	__u32 leaves;   /* entry of member 0 in nilo_leaves */
	__u32 overhead; /* bytes of each wire packet beyond its frame */
};

/* Key: bucket. */
struct nilo_rate {
	__u64 cost;     /* nanoseconds per byte << NILO_COST_SHIFT */
	__u64 limit_ns; /* police: the burst, as time; depart: the farthest departure from now */
	__u64 mark_ns;  /* ECT packets that find more than this before them are marked */
	__u64 reserved;
};

/* A bucket's state: the theoretical arrival time of the generic cell rate algorithm (ITU-T I.371), and what met it. */
struct nilo_bucket {
	__u64 next_ns;
	__u64 packets; /* passed, on the wire */
	__u64 bytes;
	__u64 dropped_packets;
	__u64 dropped_bytes;
	__u64 pad[3];
};

/* Key of the members' trie. */
struct nilo_shape_net {
	__u32 length; /* 32 + the prefix's own */
	__be16 rule;
	__u8 family; /* 4 or 6 */
	__u8 reserved;
	__u8 address[16];
};
#define NILO_NO_MEMBER 0xffffffffu

/* A slot's member, valid for a rule's version. */
struct nilo_chosen {
	__u32 version;
	__u32 member;
};

/* A leaf class and the flow or host that is in it. */
struct nilo_leaf {
	__u32 tag;  /* of the hash; 0: never used */
	__u32 used; /* jiffies */
};

/* What did not go as the rule says. */
enum nilo_shape_failure {
	NILO_SHAPE_NOT_WRITTEN = 0,  /* DSCP or CE could not be written */
	NILO_SHAPE_NO_ROOM = 1,      /* no bucket for the host or flow: it shared the rule's */
	NILO_SHAPE_CONTENDED = 2,    /* too many CPUs at one bucket at once: dropped */
	NILO_SHAPE_NO_DEPARTURE = 3, /* not IP: it carries no departure time */
	NILO_SHAPE_OUTSIDE = 4,      /* in none of the rule's prefixes: passed as it came */
	NILO_SHAPE_FAILURES = 5
};

/* Counters of one rule on one CPU. Packets and bytes as on the wire, frames without FCS and without the rule's overhead. */
struct nilo_shaped {
	__u64 skbs; /* passed */
	__u64 packets;
	__u64 bytes;
	__u64 marked_packets; /* CE was set */
	__u64 dropped_skbs;
	__u64 dropped_packets;
	__u64 dropped_bytes;
	__u64 failures[NILO_SHAPE_FAILURES];
	__u64 pad[4];
};

_Static_assert(sizeof(struct nilo_shaper) == 24, "nilo_shaper");
_Static_assert(sizeof(struct nilo_rate) == 32, "nilo_rate");
_Static_assert(sizeof(struct nilo_bucket) == 64, "nilo_bucket");
_Static_assert(sizeof(struct nilo_shape_net) == 24, "nilo_shape_net");
_Static_assert(sizeof(struct nilo_chosen) == 8, "nilo_chosen");
_Static_assert(sizeof(struct nilo_leaf) == 8, "nilo_leaf");
_Static_assert(sizeof(struct nilo_shaped) == 128, "nilo_shaped");
#endif
