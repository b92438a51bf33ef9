/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sketches of the packets that found no room in the flow table: what the exact records cannot tell of a flood that overruns them.
 *
 * A CPU has two banks. Programs write to the one that user space has named; user space reads and empties the other. Banks of one time add up: counts by addition, registers by maximum, so the sum over CPUs is the sketch of all their packets.
 */
#ifndef NILO_ABI_SKETCH_H
#define NILO_ABI_SKETCH_H
#include <linux/types.h>

#define NILO_SKETCH_BANKS 2
#define NILO_SKETCH_REGISTERS 2048    /* of a count of distinct values; standard error 2.3 % */
#define NILO_SKETCH_WIDTH 512         /* cells by which hosts are told apart */
#define NILO_SKETCH_CELL_REGISTERS 16 /* standard error 26 % */

/* Whom a cell is about. */
enum nilo_sketch_side {
	NILO_SKETCH_SOURCE = 0,
	NILO_SKETCH_DESTINATION = 1,
	NILO_SKETCH_SIDES = 2,
};

/* The hosts of one side whose hash leads here: what is counted for one of them is never too low. */
struct nilo_sketch_cell {
	__u8 address[16]; /* of the host that the pair with the highest rank is of: the one with the most pairs, likely */
	__u64 openings;   /* TCP packets with SYN and without ACK */
	__u32 if_id;      /* where that pair was seen */
	__u16 ethertype; /* of that pair */
	__u8 direction;  /* of that pair: enum nilo_direction */
	__u8 rank;       /* 1 + trailing zeros of that pair's hash; 0: nothing came here */
	/* Distinct peers, and distinct destination ports, of packets that open. */
	__u8 peers[NILO_SKETCH_CELL_REGISTERS];
	__u8 ports[NILO_SKETCH_CELL_REGISTERS];
};

struct nilo_sketch {
	__u64 packets; /* socket buffers */
	__u64 pad[7];
	/* Distinct values of packets that open: TCP's SYN, and datagrams not to the higher port. */
	__u8 sources[NILO_SKETCH_REGISTERS];
	__u8 destinations[NILO_SKETCH_REGISTERS];
	__u8 ports[NILO_SKETCH_REGISTERS];
	struct nilo_sketch_cell cells[NILO_SKETCH_SIDES][NILO_SKETCH_WIDTH];
};

/* A CPU's. */
struct nilo_sketch_banks {
	__u64 in_use; /* the bank that programs write to: written by user space */
	__u64 pad[7];
	struct nilo_sketch banks[NILO_SKETCH_BANKS];
};

/*
 * A hash of two words. The seed and the multipliers made of it are secret, so that a sender cannot choose what meets in a cell.
 */
static inline __u64 nilo_sketch_hash(__u64 a, __u64 b, __u64 seed)
{
	__u64 h = ((a + seed) * (seed | 1)) ^ ((b ^ seed) * (seed >> 17 | 0x8000000000000001ULL));

	h ^= h >> 32;
	h *= 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 32;
}

_Static_assert(sizeof(struct nilo_sketch_cell) == 64, "a cell is a cache line");
_Static_assert(sizeof(struct nilo_sketch) == 64 + 3 * NILO_SKETCH_REGISTERS + 64 * NILO_SKETCH_SIDES * NILO_SKETCH_WIDTH,
	       "nilo_sketch");
#endif
