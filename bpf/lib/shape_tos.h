/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Writes DSCP (RFC 2474) and ECN (RFC 3168) into the outer IP header. */
#ifndef NILO_SHAPE_TOS_H
#define NILO_SHAPE_TOS_H
#include "lib/maps.h"

#define NILO_ECN_CE 3

/* Where the network header starts in the data. A tag that the kernel keeps outside is not there. */
static __always_inline __u32 nilo_network_offset(struct __sk_buff *skb, const struct nilo_flow_key *key)
{
	__u32 entry = skb->ifindex & (NILO_PORTS - 1), offset = 14;
	const struct nilo_port *port = bpf_map_lookup_elem(&nilo_ports, &entry);

	if (port && port->ifindex == skb->ifindex && port->flags & NILO_PORT_LAYER3)
		return 0;
	if (key->vlan)
		offset += 4;
	if (key->inner_vlan)
		offset += 4;
	return skb->vlan_present ? offset - 4 : offset;
}

/*
 * Sets the byte that holds DSCP and ECN; over IPv4 with the header's checksum. Returns 0 when it is there.
 *
 * A checksum of the whole packet that the device gave (CHECKSUM_COMPLETE) stays right: over IPv4 the two changes cancel out, over IPv6 the
 * helper corrects it.
 */
static __always_inline int nilo_write_tos(struct __sk_buff *skb, const struct nilo_flow_key *key, __u8 tos)
{
	__u32 offset = nilo_network_offset(skb, key);
	__u8 was[2], now[2];

	if (bpf_skb_load_bytes(skb, offset, was, sizeof(was)))
		return -1;
	now[0] = was[0];
	now[1] = tos;
	if (key->ethertype == 0x0800 && was[0] >> 4 == 4) {
		if (bpf_l3_csum_replace(skb, offset + 10, *(__u16 *)was, *(__u16 *)now, 2))
			return -1;
		return bpf_skb_store_bytes(skb, offset, now, sizeof(now), 0);
	}
	if (key->ethertype != 0x86dd || was[0] >> 4 != 6)
		return -1;
	now[0] = (was[0] & 0xf0) | tos >> 4;
	now[1] = (was[1] & 0x0f) | (tos & 0x0f) << 4;
	return bpf_skb_store_bytes(skb, offset, now, sizeof(now), BPF_F_RECOMPUTE_CSUM);
}

#endif
