/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one parse of a packet: Ethernet, up to two VLAN tags wherever they sit, IP, transport, and for VXLAN the frame inside (RFC 7348).
 */
#ifndef NILO_PARSE_H
#define NILO_PARSE_H
#include "lib/parse_network.h"

struct nilo_vlan_header {
	__be16 tci;
	__be16 ethertype;
};

struct nilo_vxlan_header {
	__u8 flags; /* I: 0x08 */
	__u8 reserved[3];
	__be32 vni; /* << 8 */
};

static __always_inline int nilo_is_vlan(__be16 ethertype)
{
	return ethertype == bpf_htons(ETH_P_8021Q) || ethertype == bpf_htons(ETH_P_8021AD) ||
	       ethertype == bpf_htons(ETH_P_QINQ1);
}

static __always_inline __u16 nilo_ethertype(__be16 field)
{
	__u16 ethertype = bpf_ntohs(field);

	return ethertype < ETH_P_802_3_MIN ? ETH_P_802_2 : ethertype;
}

/* Steps over tags that sit in the data; `tags` counts those found before. A tag that is cut off leaves its own ethertype. */
static __always_inline __be16 nilo_parse_tags(struct nilo_cursor *c, __u16 *outer, __u16 *inner, int tags, __be16 ethertype)
{
#pragma clang loop unroll(full)
	for (int i = 0; i < 2; i++) {
		struct nilo_vlan_header *tag;

		if (tags >= 2 || !nilo_is_vlan(ethertype))
			break;
		tag = nilo_step(c, sizeof(*tag));
		if (!tag)
			break;
		if (tags == 0)
			*outer = (bpf_ntohs(tag->tci) & 0xfff) | NILO_VLAN_PRESENT;
		else
			*inner = (bpf_ntohs(tag->tci) & 0xfff) | NILO_VLAN_PRESENT;
		tags++;
		ethertype = tag->ethertype;
	}
	return ethertype;
}

static __always_inline int nilo_is_vxlan_port(__be16 dport)
{
	__u16 port = bpf_ntohs(dport);

	return port && (port == nilo_config.vxlan_ports[0] || port == nilo_config.vxlan_ports[1]);
}

/*
 * The frame inside; `offset` is just past the UDP header. Leaves the packet as it was when there is no whole VXLAN header and inner
 * Ethernet header.
 */
__noinline int nilo_parse_vxlan(struct __sk_buff *skb, struct nilo_packet *p, struct nilo_flow_key *key, __u32 offset)
{
	struct nilo_cursor c = { .start = (void *)(long)skb->data, .end = (void *)(long)skb->data_end };
	struct nilo_vxlan_header *vxlan;
	struct ethhdr *eth;
	__u16 tags[2];

	if (!p || !key || offset > NILO_LINEAR_BYTES)
		return NILO_SHORT_L4;
	c.at = c.start + offset;
	vxlan = nilo_step(&c, sizeof(*vxlan));
	if (!vxlan)
		return NILO_SHORT_L4;
	if (!(vxlan->flags & 0x08))
		return NILO_PARSED;
	eth = nilo_step(&c, sizeof(*eth));
	if (!eth)
		return NILO_SHORT_L4;
	p->encap = NILO_ENCAP_VXLAN;
	p->vni = bpf_ntohl(vxlan->vni) >> 8;
	p->segmentable = 0;
	key->inner.ethertype = nilo_ethertype(nilo_parse_tags(&c, &tags[0], &tags[1], 0, eth->h_proto));
	return nilo_parse_network(skb, &c, p, &key->inner, 0);
}

/* `layer2`: the data starts with an Ethernet header. */
static __always_inline int nilo_parse_linear(struct __sk_buff *skb, struct nilo_packet *p, struct nilo_flow_key *key, int layer2)
{
	struct nilo_cursor c = {
		.start = (void *)(long)skb->data, .at = (void *)(long)skb->data, .end = (void *)(long)skb->data_end
	};
	struct nilo_tuple *outer = &p->outer;
	struct ethhdr *eth;
	__be16 ethertype = skb->protocol;
	int tags = 0, r;

	if (skb->vlan_present) {
		p->vlan = (skb->vlan_tci & 0xfff) | NILO_VLAN_PRESENT;
		tags = 1;
	}
	if (layer2) {
		eth = nilo_step(&c, sizeof(*eth));
		if (!eth)
			return NILO_SHORT_L3;
		ethertype = nilo_parse_tags(&c, &p->vlan, &p->inner_vlan, tags, eth->h_proto);
	}
	outer->ethertype = nilo_ethertype(ethertype);
	r = nilo_parse_network(skb, &c, p, outer, 1);
	if (r == NILO_PARSED && nilo_config.features & NILO_FEATURE_VXLAN && outer->protocol == IPPROTO_UDP &&
	    p->segmentable && nilo_is_vxlan_port(outer->dport))
		r = nilo_parse_vxlan(skb, p, key, p->headers);
	if (skb->vlan_present)
		p->headers += 4;
	return r;
}

static __always_inline void nilo_packet_start(struct nilo_packet *p, struct nilo_flow_key *key, const struct nilo_port *port,
					      int direction)
{
	__builtin_memset(p, 0, sizeof(*p));
	__builtin_memset(key, 0, sizeof(*key));
	p->if_id = port->if_id;
	p->direction = direction;
}

/* Fills the packet's facts and its key. */
static __always_inline void nilo_parse(struct __sk_buff *skb, struct nilo_packet *p, struct nilo_flow_key *key,
				       const struct nilo_port *port, int direction)
{
	int layer2 = !(port->flags & NILO_PORT_LAYER3);
	int r = NILO_PARSED;

#pragma clang loop unroll(disable)
	for (int attempt = 0; attempt < 2; attempt++) {
		nilo_packet_start(p, key, port, direction);
		r = nilo_parse_linear(skb, p, key, layer2);
		if (likely(r == NILO_PARSED) || skb->data_end - skb->data >= skb->len)
			break;
		/* Headers outside the linear part are rare (some drivers, some local senders): pull them in and read again. */
		if (bpf_skb_pull_data(skb, skb->len < NILO_LINEAR_BYTES ? skb->len : NILO_LINEAR_BYTES))
			break;
	}
	if (unlikely(r == NILO_SHORT_L3))
		p->remarks |= 1u << NILO_REMARK_TRUNCATED_L3;
	else if (unlikely(r == NILO_SHORT_L4))
		p->remarks |= 1u << NILO_REMARK_TRUNCATED_L4;
	p->skb_bytes = skb->len + (skb->vlan_present ? 4 : 0);
	nilo_seal(p, key);
}

#endif
