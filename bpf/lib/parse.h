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
static __always_inline __be16 nilo_parse_tags(struct nilo_cursor *c, __u16 *outer, __u16 *inner, int tags,
					      __be16 ethertype)
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

/* `layer2`: the data starts with an Ethernet header. */
static __always_inline int nilo_parse_linear(struct __sk_buff *skb, struct nilo_packet *p, int layer2)
{
	struct nilo_cursor c = { .start = (void *)(long)skb->data,
				 .at = (void *)(long)skb->data,
				 .end = (void *)(long)skb->data_end };
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
	p->is_tunnel = r == NILO_PARSED && nilo_config.features & NILO_FEATURE_VXLAN &&
		       outer->protocol == IPPROTO_UDP && p->facts.segmentable && nilo_is_vxlan_port(outer->dport);
	if (skb->vlan_present)
		p->facts.headers += 4;
	return r;
}

static __always_inline void nilo_mark_short(struct nilo_packet *p, int r)
{
	if (r == NILO_SHORT_L3)
		p->facts.remarks |= 1u << NILO_REMARK_TRUNCATED_L3;
	else if (r == NILO_SHORT_L4)
		p->facts.remarks |= 1u << NILO_REMARK_TRUNCATED_L4;
}

/*
 * Fills the key and the packet's working state, whatever the packet is. Verified once, on its own; the common shapes do not come here.
 * Returns how many bytes must be pulled into the linear part for a better answer, or 0.
 * - key: all zero.
 */
__noinline int nilo_parse_general(struct __sk_buff *skb, struct nilo_packet *p, struct nilo_flow_key *key, __u32 layer3)
{
	__u32 if_id, direction, is_final, wanted = skb->len;
	int r;

	if (!p || !key)
		return 0;
	if_id = p->if_id;
	direction = p->direction;
	is_final = p->is_final;
	__builtin_memset(p, 0, sizeof(*p));
	p->if_id = if_id;
	p->direction = direction;
	r = nilo_parse_linear(skb, p, !layer3);
	if (wanted > NILO_LINEAR_BYTES)
		wanted = NILO_LINEAR_BYTES;
	if (!is_final && skb->data_end - skb->data < wanted && (r != NILO_PARSED || p->is_tunnel))
		return wanted;
	nilo_mark_short(p, r);
	p->facts.skb_bytes = skb->len + (skb->vlan_present ? 4 : 0);
	nilo_seal(p, key);
	return 0;
}

/*
 * The frame inside VXLAN, after the general parser has found the tunnel (is_tunnel) and sealed the key. Leaves both as they were when
 * there is no whole VXLAN header and inner Ethernet header.
 */
__noinline int nilo_parse_vxlan(struct __sk_buff *skb, struct nilo_packet *p, struct nilo_flow_key *key)
{
	struct nilo_cursor c = { .start = (void *)(long)skb->data, .end = (void *)(long)skb->data_end };
	struct nilo_vxlan_header *vxlan;
	struct ethhdr *eth;
	__u32 offset, outside = skb->vlan_present ? 4 : 0;
	__u16 tags[2];
	int r;

	if (!p || !key)
		return 0;
	offset = p->facts.headers - outside;
	if (offset > NILO_LINEAR_BYTES)
		return 0;
	c.at = c.start + offset;
	vxlan = nilo_step(&c, sizeof(*vxlan));
	if (vxlan && !(vxlan->flags & 0x08))
		return 0;
	eth = vxlan ? nilo_step(&c, sizeof(*eth)) : NULL;
	if (!eth) {
		nilo_mark_short(p, NILO_SHORT_L4);
		return 0;
	}
	p->encap = NILO_ENCAP_VXLAN;
	p->vni = bpf_ntohl(vxlan->vni) >> 8;
	p->facts.segmentable = 0;
	key->inner.ethertype = nilo_ethertype(nilo_parse_tags(&c, &tags[0], &tags[1], 0, eth->h_proto));
	r = nilo_parse_network(skb, &c, p, &key->inner, 0);
	nilo_mark_short(p, r);
	p->facts.headers += p->facts.segmentable ? outside : 0;
	nilo_seal(p, key);
	return 0;
}

#endif
