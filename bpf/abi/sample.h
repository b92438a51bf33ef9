/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Samples of packets, and the rules by which they are taken.
 *
 * At random means: each wire packet is taken with probability 1/one_in on its own account (Bernoulli sampling). The program does not draw a
 * number per packet but, after each sample, how many packets to go to the next: a geometric variable. It has no memory, so a new rate may
 * simply draw anew. A super-packet is as many wire packets as it has segments, and yields as many hits.
 */
#ifndef NILO_ABI_SAMPLE_H
#define NILO_ABI_SAMPLE_H
#include "flow_key.h"

#define NILO_SNAP_MOST 2048 /* bytes of a frame that a sample can carry; a power of two */

/*
 * The agent's own sampler, beside those of the rules: the first packets of each flow on ports with NILO_PORT_FIRST, `most` in a `window` on
 * each CPU. It stands where no rule does, takes nothing at random and counts no packets but its samples.
 */
#define NILO_SAMPLER_FIRST 0
#define NILO_FIRST_MOST 32          /* packets of a flow */
#define NILO_FIRST_ETHERTYPE 0x88cc /* LLDP: all of them, for each is an announcement anew */

enum nilo_sample_reason {
	NILO_SAMPLE_RANDOM = 1,
	NILO_SAMPLE_FIRST = 2, /* among the first packets of its flow */
	NILO_SAMPLE_FLAGS = 4, /* for its TCP flags */
	NILO_SAMPLE_REASONS = 3,
	/* Beside the reasons: the outer VLAN tag is not among the bytes; the key has it. */
	NILO_SAMPLE_TAG_APART = 0x80,
};

/* Why a sample did not reach the ring. */
enum nilo_sample_loss {
	NILO_SAMPLE_RING_FULL = 0,  /* user space has not kept up */
	NILO_SAMPLE_UNREADABLE = 1, /* the kernel could not copy the packet's bytes */
	NILO_SAMPLE_LOSSES = 2,
};

/*
 * A rule on one CPU; key: cpu * NILO_SAMPLERS + rule. Three cache lines: user space writes the first and `version`, the programs of the CPU
 * the rest. They take over the first when `version` is another than the one they have, and even: while user space writes, it is odd.
 */
struct nilo_sampler {
	__u32 one_in;  /* 1/probability; 0: none at random */
	__u32 inverse; /* 2^shift / -ln(1 - 1/one_in); 0: every packet */
	__u32 shift;
	__u32 first_packets; /* of each flow */
	__u16 always;        /* TCP flags, any of which is reason enough */
	__u16 snap;          /* bytes of a frame at most */
	__u32 epoch;         /* of the rule under this number; its samples say it */
	__u32 most;          /* samples in a window; NILO_SAMPLER_FIRST alone */
	__u32 window;        /* jiffies */
	__u32 unused[8];

	/* Each packet. */
	__u64 packets; /* wire packets that the rule applied to */
	__u64 next;    /* the number of the next hit among them */
	__u64 bytes;
	__u32 version;
	__u32 adopted; /* version of what follows */
	__u32 in_force;
	__u32 inverse_in_force;
	__u32 shift_in_force;
	__u32 first_in_force;
	__u16 always_in_force;
	__u16 snap_in_force;
	__u32 epoch_in_force;
	__u32 beside; /* there are reasons other than chance */
	__u32 unused2;

	/* Each sample. A sample with two reasons counts in both. */
	__u64 taken[NILO_SAMPLE_REASONS];
	__u64 samples;
	__u64 hits;
	__u64 lost[NILO_SAMPLE_LOSSES];
	__u64 lost_hits;
};

/*
 * A sample in the ring. `snap` bytes of the frame follow, then padding to a multiple of eight. Estimates use `hits` alone: it is 0 where
 * chance had no part. hits * one_in wire packets stand behind a sample, and hits * one_in * wire_bytes / wire_packets bytes.
 */
struct nilo_sample {
	__u32 bytes; /* to the next one */
	__u16 snap;
	__u8 rule;
	__u8 reasons; /* enum nilo_sample_reason */
	__u32 hits;
	__u32 one_in; /* in force when it was taken */
	__u32 wire_packets;
	__u32 wire_bytes;
	__u32 skb_bytes;
	__u32 ifindex;
	__u32 ingress_ifindex; /* where the packet came into the host, as far as the kernel remembers; else 0 */
	__u32 epoch;
	__u64 time_ns;                  /* CLOCK_MONOTONIC */
	__u64 packets;                  /* wire packets that the rule has applied to on this CPU */
	__u32 lost[NILO_SAMPLE_LOSSES]; /* samples lost on this CPU, all rules, modulo 2^32 */
	struct nilo_flow_key key;
};

/*
 * A CPU's ring is 2^n bytes of an array's value. Records are whole in memory: one that begins before the ring's end goes on into the room
 * behind it, and leaves as many bytes unused at the beginning.
 */
#define NILO_SAMPLE_ROOM (sizeof(struct nilo_sample) + NILO_SNAP_MOST)

/* Positions in a CPU's ring, bytes; both only ever grow. */
struct nilo_sample_head {
	__u64 written; /* by the programs */
	__u64 woken;   /* jiffies of the last wake-up */
	__u32 lost[NILO_SAMPLE_LOSSES];
	__u64 first_window; /* jiffies when the window of NILO_SAMPLER_FIRST began */
	__u64 first_taken;  /* in it */
	__u64 first_over;   /* first packets that were not taken, for the window had its most */
	__u64 pad[2];
};
struct nilo_sample_tail {
	__u64 taken; /* by user space */
	__u64 pad[7];
};

_Static_assert(sizeof(struct nilo_sampler) == 192 && offsetof(struct nilo_sampler, packets) == 64 &&
		       offsetof(struct nilo_sampler, taken) == 128,
	       "nilo_sampler");
_Static_assert(sizeof(struct nilo_sample) == 160 && offsetof(struct nilo_sample, key) == 64, "nilo_sample");
_Static_assert(sizeof(struct nilo_sample_head) == 64 && sizeof(struct nilo_sample_tail) == 64, "sample positions");
#endif
