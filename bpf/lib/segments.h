/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a super-packet (GSO on the way out, GRO on the way in) was or will be on the wire: its segments, each with the headers again.
 */
#ifndef NILO_SEGMENTS_H
#define NILO_SEGMENTS_H
#include <linux/bpf.h>
#include "abi/ledger.h"
#include "lib/order.h"
#include "lib/packet.h"

#define NILO_GSO_BY_FRAGS 0xffff /* segment sizes are those of the fragment list (SCTP) */

struct nilo_wire {
	__u32 packets;
	__u32 bytes;
	__u32 smallest;
	__u32 largest;
	__u32 segment_bytes; /* payload per segment; 0: not a super-packet */
};

static __always_inline void nilo_segments(struct __sk_buff *skb, struct nilo_facts *p, struct nilo_wire *wire)
{
	__u32 size = skb->gso_size, segments, payload;

	wire->packets = 1;
	wire->bytes = wire->smallest = wire->largest = p->skb_bytes;
	wire->segment_bytes = size;
	if (likely(!size))
		return;
	segments = skb->gso_segs;
	payload = p->skb_bytes > p->headers ? p->skb_bytes - p->headers : 0;
	if (unlikely(!p->segmentable || size == NILO_GSO_BY_FRAGS)) {
		p->remarks |= 1u << NILO_REMARK_WIRE_APPROX;
		if (segments)
			wire->packets = segments;
		return;
	}
	/* Untrusted sources (a guest, a packet socket) may leave the count at 0. */
	if (unlikely(!segments))
		segments = (payload + size - 1) / size;
	if (unlikely(segments < 2))
		return;
	wire->packets = segments;
	wire->bytes = p->skb_bytes + (segments - 1) * p->headers;
	wire->largest = p->headers + size;
	wire->smallest = wire->largest;
	if (payload < segments * size && payload > (segments - 1) * size)
		wire->smallest = p->headers + payload - (segments - 1) * size;
}

#endif
