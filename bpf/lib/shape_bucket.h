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

#define NILO_CHARGE_REFUSED -1
#define NILO_CHARGE_CONTENDED -2

/*
 * Charges a bucket. Returns the wait: depart: from now until the packet may go; police: from now until the bucket will be full. Or why
 * nothing was charged.
 * - earliest: depart: not before that.
 * - limit: police: the most that may be owed after the packet; depart: the longest wait.
 */
static __always_inline __s64 nilo_charge(__u64 *next_ns, __u64 now, __u64 earliest, __u64 cost, __u64 limit, int departs)
{
#pragma clang loop unroll(disable)
	for (int i = 0; i < NILO_BUCKET_TRIES; i++) {
		__u64 next = *(volatile __u64 *)next_ns, start = next > now ? next : now, wait;

		if (departs) {
			if (start < earliest)
				start = earliest;
			wait = start - now;
			if (wait > limit)
				return NILO_CHARGE_REFUSED;
		} else {
			wait = start + cost - now;
			if (wait > limit && start > now)
				return NILO_CHARGE_REFUSED;
		}
		if (__sync_val_compare_and_swap(next_ns, next, start + cost) == next)
			return wait;
	}
	return NILO_CHARGE_CONTENDED;
}

#endif
