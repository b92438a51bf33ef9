/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What TCP shows of a flow's health as it passes: segments whose bytes had passed before (retransmitted), segments that fill a gap
 * (out of order), closed windows.
 *
 * One gap is remembered; a second one widens it, so that of several gaps a late retransmission between them may be called out of order.
 */
#ifndef NILO_TCP_H
#define NILO_TCP_H
#include "lib/handshake.h"
#include "lib/maps.h"
#include "lib/order.h"
#include "lib/segments.h"

/* a < b in sequence space (RFC 9293, 3.4) */
static __always_inline int nilo_seq_before(__u32 a, __u32 b)
{
	return (a - b) >> 31;
}

/*
 * Too far from what has been sent to be of the same connection: the ports are used again, and the SYN was seen on another CPU or not at all.
 * 64 MiB either way; 1 MiB once the connection here has ended.
 */
static __always_inline int nilo_seq_far(const struct nilo_flow_slot *slot, __u32 seq)
{
	__u32 near = slot->tcp_flags & (NILO_TCP_FIN | NILO_TCP_RST) ? 1u << 20 : 1u << 26;

	return seq - slot->next_seq + near > 2 * near;
}

/* Bytes [seq, end) of which a first part, or all, is below next_seq. `size`: payload per segment, 0 for a single one. */
__noinline int nilo_tcp_old(struct nilo_flow_slot *slot, __u32 size, __u32 seq, __u32 end, __u32 flags)
{
	__u32 old_end, segments = 1;

	if (!slot)
		return 0;
	/* A keep-alive repeats one byte, or none, just below what has been sent. A SYN or FIN takes a number too, and is no keep-alive. */
	if (end - seq <= 1 && end == slot->next_seq && !(flags & (NILO_TCP_SYN | NILO_TCP_FIN)))
		return 0;
	old_end = nilo_seq_before(slot->next_seq, end) ? slot->next_seq : end;
	if (size)
		segments = (old_end - seq + size - 1) / size;
	if (slot->hole_start != slot->hole_end && !nilo_seq_before(seq, slot->hole_start) &&
	    nilo_seq_before(seq, slot->hole_end)) {
		slot->out_of_order += segments;
		if (seq == slot->hole_start)
			slot->hole_start = nilo_seq_before(old_end, slot->hole_end) ? old_end : slot->hole_end;
		else if (!nilo_seq_before(old_end, slot->hole_end))
			slot->hole_end = seq;
	} else {
		slot->retransmitted += segments;
	}
	if (nilo_seq_before(slot->next_seq, end))
		slot->next_seq = end;
	return 0;
}

static __always_inline void nilo_tcp(struct nilo_facts *p, struct nilo_flow_slot *slot, const struct nilo_wire *wire)
{
	/* An IP length beyond the frame is a lie, and that of a super-packet may not fit its field. */
	__u32 room = p->skb_bytes > p->headers ? p->skb_bytes - p->headers : 0;
	__u32 payload = wire->segment_bytes || p->payload > room ? room : p->payload;
	__u32 seq = p->seq, end = seq + payload;

	if (unlikely(p->tcp_flags & NILO_TCP_SYN || (slot->tcp_flags & (NILO_TCP_SYN | NILO_TCP_ACK)) == NILO_TCP_SYN))
		p->remarks |= nilo_handshake(slot, p->tcp_flags);
	slot->tcp_flags |= p->tcp_flags;
	if (unlikely(!p->window && !(p->tcp_flags & (NILO_TCP_SYN | NILO_TCP_RST))))
		slot->zero_windows += wire->packets;
	if (p->tcp_flags & (NILO_TCP_SYN | NILO_TCP_FIN))
		end++;
	if (end == seq || p->tcp_flags & NILO_TCP_RST)
		return;
	if (p->tcp_flags & NILO_TCP_SYN && slot->notes & NILO_NOTE_SEQ_KNOWN && slot->next_seq != end) {
		/* A new connection on the same ports. */
		slot->hole_start = slot->hole_end = 0;
		slot->next_seq = end;
		return;
	}
	if (unlikely(!(slot->notes & NILO_NOTE_SEQ_KNOWN))) {
		slot->notes |= NILO_NOTE_SEQ_KNOWN;
		if (!(p->tcp_flags & NILO_TCP_SYN))
			slot->notes |= NILO_NOTE_SEQ_LOST;
		slot->next_seq = end;
		return;
	}
	if (likely(seq == slot->next_seq)) {
		slot->next_seq = end;
	} else if (unlikely(nilo_seq_far(slot, seq))) {
		slot->hole_start = slot->hole_end = 0;
		slot->next_seq = end;
		slot->notes |= NILO_NOTE_SEQ_LOST;
	} else if (nilo_seq_before(slot->next_seq, seq)) {
		if (slot->hole_start == slot->hole_end)
			slot->hole_start = slot->next_seq;
		slot->hole_end = seq;
		slot->next_seq = end;
	} else {
		nilo_tcp_old(slot, wire->segment_bytes, seq, end, p->tcp_flags);
	}
}

#endif
