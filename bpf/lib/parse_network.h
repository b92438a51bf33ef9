/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Network headers: IPv4 with options, IPv6 with its chain of extension headers, fragments of both (RFC 791, 8200, 4302). */
#ifndef NILO_PARSE_NETWORK_H
#define NILO_PARSE_NETWORK_H
#include <linux/if_ether.h>
#include "lib/fragments.h"
#include "lib/order.h"
#include "lib/parse_transport.h"

#define NILO_EXTENSIONS 8
/* How much of a packet is pulled into its linear part when the headers are not there. */
#define NILO_LINEAR_BYTES 256

struct nilo_ipv4_header {
	__u8 version_ihl;
	__u8 tos;
	__be16 length;
	__be16 id;
	__be16 fragment; /* DF 0x4000, MF 0x2000, offset 0x1fff */
	__u8 ttl;
	__u8 protocol;
	__be16 check;
	__be32 saddr;
	__be32 daddr;
};

struct nilo_ipv6_header {
	__u8 version_class;
	__u8 class_label;
	__be16 label;
	__be16 length;
	__u8 next;
	__u8 hop_limit;
	__u64 saddr[2];
	__u64 daddr[2];
} __attribute__((packed, aligned(8)));

struct nilo_extension {
	__u8 next;
	__u8 length;     /* in 8 bytes, without the first 8; for AH in 4 bytes, without the first 8 */
	__be16 fragment; /* fragment header: offset << 3 | M */
	__be32 id;
};

/* What the network header says of the packet's place in its datagram. */
struct nilo_datagram {
	__u32 id;
	__u32 length; /* from the transport header on */
	__u8 is_fragment;
	__u8 is_later; /* not the first fragment: there is no transport header */
	__u8 protocol; /* of a fragment, as its own header names it */
};

enum nilo_parsed {
	NILO_PARSED = 0,
	NILO_SHORT_L3 = -1,
	NILO_SHORT_L4 = -2,
};

static __always_inline int nilo_parse_ipv4(struct nilo_cursor *c, struct nilo_packet *p, struct nilo_tuple *t,
					   struct nilo_datagram *d, int outer)
{
	struct nilo_ipv4_header *ip = nilo_step(c, sizeof(*ip));
	__u32 bytes, length;
	__u16 fragment;

	if (!ip || ip->version_ihl >> 4 != 4)
		return NILO_SHORT_L3;
	bytes = (ip->version_ihl & 15) * 4;
	if (bytes < sizeof(*ip) || (bytes > sizeof(*ip) && !nilo_step(c, bytes - sizeof(*ip))))
		return NILO_SHORT_L3;
	nilo_set_words(t->saddr, ip->saddr, 0);
	nilo_set_words(t->daddr, ip->daddr, 0);
	t->protocol = ip->protocol;
	if (outer) {
		p->facts.tos = ip->tos;
		p->facts.ttl = ip->ttl;
	}
	length = bpf_ntohs(ip->length);
	d->length = length > bytes ? length - bytes : 0;
	fragment = ip->fragment & bpf_htons(0x3fff);
	d->is_fragment = fragment != 0;
	d->is_later = (fragment & bpf_htons(0x1fff)) != 0;
	d->id = ip->id;
	d->protocol = ip->protocol;
	return NILO_PARSED;
}

/* A walk along the chain of IPv6 extension headers. */
struct nilo_chain {
	__u32 offset; /* of the next header, from the start of the data */
	__u32 length; /* bytes from that header on, as the IPv6 header says */
	__u32 id;     /* of the datagram, from the fragment header */
	__u8 protocol;
	__u8 is_fragment;
	__u8 is_later;
	__u8 too_long;
	__u8 fragmented; /* what follows the fragment header */
};

static __always_inline int nilo_is_extension(__u8 kind)
{
	return kind == 0 || kind == 43 || kind == 44 || kind == 51 || kind == 60 || kind == 135;
}

/*
 * Follows the chain to the transport header. Returns -1 when a header of the chain is cut off or the chain is too long. A function of its
 * own, verified once: it is rare, and inlined its loop would multiply the verifier's work.
 */
__noinline int nilo_walk_extensions(struct __sk_buff *skb, struct nilo_chain *chain)
{
	if (!chain)
		return -1;
	for (int i = 0; i < NILO_EXTENSIONS; i++) {
		struct nilo_extension ext;
		__u8 kind = chain->protocol;
		__u32 bytes;

		if (!nilo_is_extension(kind))
			return 0;
		if (bpf_skb_load_bytes(skb, chain->offset, &ext, sizeof(ext)))
			return -1;
		bytes = kind == 44 ? 8 : kind == 51 ? ((__u32)ext.length + 2) * 4 : ((__u32)ext.length + 1) * 8;
		if (chain->offset + bytes > skb->len)
			return -1;
		chain->offset += bytes;
		chain->length = chain->length > bytes ? chain->length - bytes : 0;
		chain->protocol = ext.next;
		if (kind == 44) {
			chain->is_fragment = (ext.fragment & bpf_htons(0xfff9)) != 0;
			chain->is_later = (ext.fragment & bpf_htons(0xfff8)) != 0;
			chain->id = ext.id;
			chain->fragmented = ext.next;
			if (chain->is_later)
				return 0;
		}
	}
	if (!nilo_is_extension(chain->protocol))
		return 0;
	chain->too_long = 1;
	return -1;
}

static __always_inline int nilo_parse_extensions(struct __sk_buff *skb, struct nilo_cursor *c, struct nilo_packet *p,
						 struct nilo_tuple *t, struct nilo_datagram *d)
{
	struct nilo_chain chain = { .offset = c->at - c->start, .length = d->length, .protocol = t->protocol };
	int r = nilo_walk_extensions(skb, &chain);

	t->protocol = chain.protocol;
	if (r) {
		if (chain.too_long)
			p->facts.remarks |= 1u << NILO_REMARK_EXTENSIONS;
		return NILO_SHORT_L4;
	}
	d->length = chain.length;
	d->id = chain.id;
	d->protocol = chain.fragmented;
	d->is_fragment = chain.is_fragment;
	d->is_later = chain.is_later;
	/* The walk read with the kernel's help; the transport header must be in the linear part all the same. */
	if (chain.offset > NILO_LINEAR_BYTES * 16)
		return NILO_SHORT_L4;
	c->at = c->start + chain.offset;
	return NILO_PARSED;
}

static __always_inline int nilo_parse_ipv6(struct __sk_buff *skb, struct nilo_cursor *c, struct nilo_packet *p,
					   struct nilo_tuple *t, struct nilo_datagram *d, int outer)
{
	struct nilo_ipv6_header *ip = nilo_step(c, sizeof(*ip));

	if (!ip || ip->version_class >> 4 != 6)
		return NILO_SHORT_L3;
	nilo_set_words(t->saddr, ip->saddr[0], ip->saddr[1]);
	nilo_set_words(t->daddr, ip->daddr[0], ip->daddr[1]);
	t->protocol = ip->next;
	if (outer) {
		p->facts.tos = ip->version_class << 4 | ip->class_label >> 4;
		p->facts.ttl = ip->hop_limit;
	}
	d->length = bpf_ntohs(ip->length);
	if (likely(!nilo_is_extension(ip->next)))
		return NILO_PARSED;
	return nilo_parse_extensions(skb, c, p, t, d);
}

/*
 * Fills the tuple of one layer from its network header on; t->ethertype is set. Returns NILO_PARSED, or which header was cut off,
 * with all that was found before it kept.
 */
static __always_inline int nilo_parse_network(struct __sk_buff *skb, struct nilo_cursor *c, struct nilo_packet *p,
					      struct nilo_tuple *t, int outer)
{
	struct nilo_datagram d = {};
	int r;

	if (t->ethertype == ETH_P_IP)
		r = nilo_parse_ipv4(c, p, t, &d, outer);
	else if (t->ethertype == ETH_P_IPV6)
		r = nilo_parse_ipv6(skb, c, p, t, &d, outer);
	else
		return NILO_PARSED;
	if (r) {
		t->form = NILO_FORM_TRUNCATED;
		return r;
	}
	if (unlikely(d.is_later)) {
		nilo_fragment_recall(p, t, d.id);
		return NILO_PARSED;
	}
	if (nilo_parse_transport(c, p, t, d.length)) {
		t->form = NILO_FORM_TRUNCATED;
		return NILO_SHORT_L4;
	}
	if (unlikely(d.is_fragment))
		nilo_fragment_remember(p, t, d.id, d.protocol);
	return NILO_PARSED;
}

#endif
