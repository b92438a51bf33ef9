/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What one parse finds out about a packet. Lengths count the VLAN tag that the kernel keeps outside the data. */
#ifndef NILO_PACKET_H
#define NILO_PACKET_H
#include "abi/flow_key.h"

/*
 * What accounting needs to know beside the key. Never has its address taken, so that the compiler can keep it in registers.
 */
struct nilo_facts {
	__u32 skb_bytes; /* the frame, without FCS */
	__u32 headers;   /* from the frame's start to the innermost transport payload */
	__u32 payload;   /* innermost TCP payload by the IP header's length, not counting Ethernet padding */
	__u32 seq;
	__u32 remarks; /* bit n: enum nilo_remark n */
	__u16 tcp_flags;
	__u16 window;
	__u8 is_tcp;      /* the innermost transport is TCP and its header whole */
	__u8 segmentable; /* `headers` repeats in each segment: TCP or UDP was reached */
	__u8 tos;         /* outer DSCP and ECN */
	__u8 ttl;         /* outer TTL or hop limit */
};

/*
 * The general parser's working state. Fields are written here one by one and then sealed into the key word by word: a word that is
 * read just after its bytes were written singly stalls the CPU (store forwarding).
 */
struct nilo_packet {
	struct nilo_tuple outer;
	__u32 if_id;
	__u32 vni;
	__u16 vlan;
	__u16 inner_vlan;
	__u8 direction;
	__u8 encap;
	__u8 is_tunnel; /* a UDP datagram to a VXLAN port */
	__u8 is_final;  /* take the linear part as it is: pulling has been tried */
	struct nilo_facts facts;
	__u32 reserved2;
};

static __always_inline void nilo_set_words(__u8 *field, __u64 first, __u64 second)
{
	((__u64 *)field)[0] = first;
	((__u64 *)field)[1] = second;
}

static __always_inline __u64 nilo_tuple_last(const struct nilo_tuple *t)
{
	return t->sport | (__u64)t->dport << 16 | (__u64)t->protocol << 32 | (__u64)t->form << 40 |
	       (__u64)t->ethertype << 48;
}

/* Composes the key from the parsed fields; its inner tuple was written in place. */
static __always_inline void nilo_seal(const struct nilo_packet *p, struct nilo_flow_key *key)
{
	__u64 *w = (__u64 *)key, *outer = (__u64 *)&p->outer;

	w[0] = outer[0];
	w[1] = outer[1];
	w[2] = outer[2];
	w[3] = outer[3];
	w[4] = nilo_tuple_last(&p->outer);
	w[5] = p->if_id | (__u64)p->vni << 32;
	w[6] = p->vlan | (__u64)p->inner_vlan << 16 | (__u64)p->direction << 32 | (__u64)p->encap << 40;
}

_Static_assert(sizeof(struct nilo_facts) == 28 && sizeof(struct nilo_packet) == 88 &&
		       offsetof(struct nilo_flow_key, ethertype) == 38 && offsetof(struct nilo_flow_key, vni) == 44 &&
		       offsetof(struct nilo_flow_key, direction) == 52 && offsetof(struct nilo_flow_key, encap) == 53,
	       "the key is sealed by these offsets");

#endif
