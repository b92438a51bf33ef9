/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Token buckets as one word each: the time at which the bucket will be full again (generic cell rate algorithm). All CPUs change it by
 * compare-and-swap, so that what passes never exceeds rate and burst, however many CPUs there are.
 *
 * A super-packet is charged for what it is on the wire. One that is larger than the burst passes when the bucket is full, and all of it is
 * charged: it could never pass otherwise. So what passes in time t is at most rate * t + the larger of the burst and the largest packet.
 */
#ifndef NILO_SHAPE_BUCKET_H
#define NILO_SHAPE_BUCKET_H
#include "lib/shape_member.h"

#define NILO_BUCKET_TRIES 16

/* What became of a packet. */
struct nilo_charge {
	__u64 depart_ns; /* when the packet may go */
	__u64 wait_ns;   /* from now until then; police: from now until the bucket would be full */
	__u8 passes;
	__u8 contended;
};

/*
 * Charges a bucket.
 * - limit: police: the most that may be owed after the packet; depart: the longest wait.
 */
static __always_inline void nilo_charge(__u64 *next_ns, __u64 now, __u64 earliest, __u64 cost, __u64 limit, int departs,
					struct nilo_charge *charge)
{
	charge->passes = charge->contended = 0;
	for (int i = 0; i < NILO_BUCKET_TRIES; i++) {
		__u64 next = *(volatile __u64 *)next_ns, start = next > now ? next : now;

		if (departs) {
			if (start < earliest)
				start = earliest;
			charge->wait_ns = start - now;
			if (charge->wait_ns > limit)
				return;
		} else {
			charge->wait_ns = start + cost - now;
			if (charge->wait_ns > limit && start > now)
				return;
		}
		charge->depart_ns = start;
		if (__sync_val_compare_and_swap(next_ns, next, start + cost) == next) {
			charge->passes = 1;
			return;
		}
	}
	charge->contended = 1;
}

#endif
