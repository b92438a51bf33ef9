/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Mirror sessions: what is copied, how much of it, and where to. Session n is bit n of a verdict's `mirrors`.
 *
 * A record is written while no policy names its session; in force only `state`, `frame_limit`, `nexthop` and `nexthop_family` change,
 * which are read one by one.
 */
#ifndef NILO_ABI_MIRROR_H
#define NILO_ABI_MIRROR_H
#include <linux/types.h>
#include "ledger.h"
#include "policy.h"

enum nilo_mirror_target {
	NILO_MIRROR_NOWHERE = 0, /* no session */
	NILO_MIRROR_DEVICE = 1,  /* an interface of the same namespace */
	NILO_MIRROR_TUNNEL = 2,  /* a collector, in VXLAN (RFC 7348) or ERSPAN type II */
	NILO_MIRROR_RING = 3,    /* user space, by the ring of captures */
};

enum nilo_mirror_selection {
	NILO_MIRROR_EVERY = 0,
	NILO_MIRROR_ONE_IN = 1, /* each packet on its own account; `chance` and `shift` are inverse and shift of nilo_sampler */
	NILO_MIRROR_FLOWS = 2, /* all packets of flows whose hash is below `chance` */
};

enum nilo_mirror_flags {
	NILO_MIRROR_WIRE = 1,        /* super-packets are cut into the packets of the wire */
	NILO_MIRROR_CAP_PACKETS = 2, /* the cap counts packets; else bytes */
	NILO_MIRROR_ERSPAN = 4,      /* the header is that of ERSPAN; else VXLAN */
	NILO_MIRROR_OUTER_IPV6 = 8,
};

/* Why a copy could not be handed to its target. */
enum nilo_mirror_failure {
	NILO_MIRROR_NO_DEVICE = 0, /* the target or the mirror port is gone */
	NILO_MIRROR_DOWN = 1,      /* it is down, or has no carrier */
	NILO_MIRROR_NO_ROUTE = 2,  /* no route to the collector, or nobody answers for its nexthop */
	NILO_MIRROR_REFUSED = 3,   /* the target's queue dropped it */
	NILO_MIRROR_NO_MEMORY = 4,
	NILO_MIRROR_FORM = 5,      /* a frame that cannot be brought into the form asked for */
	NILO_MIRROR_STALE = 6,     /* the session changed while the copy was on its way through the mirror port */
	NILO_MIRROR_RING_FULL = 7, /* user space has not kept up */
	NILO_MIRROR_FAILURES = 8,
};

/* The rule by which a record in the ring of samples says that it is a capture of session n: NILO_CAPTURES + n. */
#define NILO_CAPTURES 128

/* What `state` says when copies need not be tried: 1 + enum nilo_mirror_failure; 0: go on. */
#define NILO_MIRROR_READY 0

/* Costs and bursts of the cap are in units of 2^-20 ns. */
#define NILO_MIRROR_CAP_SHIFT 20
/* Room for Ethernet, IPv6, UDP and VXLAN (70). */
#define NILO_MIRROR_HEADER 72
#define NILO_MIRROR_HEADER_IPV4 50
#define NILO_MIRROR_HEADER_IPV6 70
#define NILO_MIRROR_INNER_AT 56 /* where in `header` UDP or GRE starts */
/* The shortest snap length: below it no header would be whole. */
#define NILO_MIRROR_SNAP_LEAST 64

struct nilo_mirror {
	__u64 netns_cookie; /* packets of this namespace only: interface numbers mean nothing elsewhere */
	__u8 target;        /* enum nilo_mirror_target */
	__u8 selection;     /* enum nilo_mirror_selection */
	__u8 flags;         /* enum nilo_mirror_flags */
	__u8 generation;    /* changes with every session that gets this record */
	__u32 chance;
	__u32 outranked_by; /* bit n: session n goes to the same destination and comes first */
	__u32 ifindex;      /* the target, or the device on the way to the collector */
	__u32 port;         /* the mirror port; 0: there is none */
	__u32 snap;         /* most bytes of a frame that are asked for; 0xffffffff: all */
	__u32 frame_limit;  /* most bytes of a frame that the way to the target takes */
	__u32 state;        /* 1 + enum nilo_mirror_failure, or NILO_MIRROR_READY */
	__u64 cap_cost;     /* of a packet or byte; 0: no cap */
	__u64 cap_burst;
	__u64 cap_most; /* no bucket is overdrawn by more: the burst and the largest copy */
	/*
	 * What is put before the frame: Ethernet, IP, and eight bytes each of UDP and VXLAN or of GRE and ERSPAN, with lengths and ports
	 * still to be filled in. At the end of `header`, so that UDP and what follows are always in the same place.
	 */
	__u32 header_length;
	__u32 header_sum; /* of the IPv4 header as words in memory, its length and checksum 0; not folded */
	__u8 header[NILO_MIRROR_HEADER];
	__u32 nexthop_family; /* AF_INET or AF_INET6 */
	__u32 nexthop[4];
	__u32 shift;
};

/*
 * Per CPU and session. At any time, of the packets matched,
 *
 *	matched = outranked + unselected + capped + failed + sent + queued
 *
 * in skbs; `queued` went into the mirror port, where each of its packets ends in `arrived` or a failure, or is lost in the device.
 */
struct nilo_mirror_counts {
	struct nilo_totals matched;
	struct nilo_totals capped;
	struct nilo_totals sent;            /* handed to the target in one step */
	struct nilo_totals queued;          /* put into the mirror port, to be cut */
	__u64 outranked;                    /* skbs; another session of the same destination took them */
	__u64 unselected;                   /* skbs; by the selection */
	__u64 failed[NILO_MIRROR_FAILURES]; /* skbs; on the way out of the mirror port, packets */
	__u64 arrived_packets;              /* out of the mirror port, to the target */
	__u64 arrived_bytes;
	__u64 arrived_failed; /* the part of failed[] that had been queued */
	__u64 truncated;      /* packets that were cut to the snap length or to what the way takes */
	__u64 segmented;      /* super-packets that were cut into the packets of the wire */
	__u64 countdown;      /* NILO_MIRROR_ONE_IN: packets until the next one; 0: not drawn yet */
};

/* A session's token bucket, on a cache line of its own. */
struct nilo_mirror_cap {
	__u64 due;      /* when the bucket will be full again */
	__u32 sequence; /* of ERSPAN's GRE header */
	__u32 pad[13];
};

/*
 * The packet that is being copied on this CPU: what its sessions need to know of it, and what the flow program and the mirror port's
 * program tell each other of the copy under way.
 */
struct nilo_mirror_now {
	struct nilo_totals totals;
	__u64 netns_cookie;
	__u32 mirrors;
	__u32 largest; /* of its packets on the wire */
	__u32 hash;    /* of the flow, the same for both directions; 0: not worked out yet */
	__u32 is_super;
	__u32 is_busy; /* a copy is being sent: no packet met meanwhile is matched */
	__u32 session;
	__u32 is_cut;  /* the copy is to be cut: into the packets of the wire, or to fit */
	__u32 shrinks; /* the segments of a super-packet make room for the header */
	__u32 outcome; /* enum nilo_mirror_outcome */
	__u32 reserved;
};
enum nilo_mirror_outcome {
	NILO_MIRROR_UNTOLD = 0, /* the port's program has not run */
	NILO_MIRROR_SENT = 1,
	NILO_MIRROR_QUEUED = 2,
	NILO_MIRROR_FAILED = 3, /* + enum nilo_mirror_failure */
};

_Static_assert(sizeof(struct nilo_mirror) == 168, "nilo_mirror");
_Static_assert(sizeof(struct nilo_mirror_counts) == 256, "nilo_mirror_counts");
#endif
