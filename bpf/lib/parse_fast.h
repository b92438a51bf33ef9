/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The common shapes: untagged Ethernet, IPv4 without options or IPv6 without extension headers, TCP or UDP, whole, not a fragment, not
 * VXLAN. What this finds, the general parser would find too (a property test holds the programs against an independent parser);
 * it only gets there with the key's words composed in registers.
 */
#ifndef NILO_PARSE_FAST_H
#define NILO_PARSE_FAST_H
#include "lib/parse.h"

/* The transport header at `at`. Returns 0 when it is not one of the common shapes. */
static __always_inline int nilo_fast_transport(void *start, void *at, void *end, __u8 protocol, __u32 length,
					       struct nilo_facts *f)
{
	if (protocol == IPPROTO_TCP) {
		struct nilo_tcp_header *tcp = at;
		__u32 bytes;

		if (at + sizeof(*tcp) > end)
			return 0;
		bytes = (tcp->offset >> 4) * 4;
		if (bytes < sizeof(*tcp))
			return 0;
		f->seq = bpf_ntohl(tcp->seq);
		f->tcp_flags = tcp->flags | (tcp->offset & 1) << 8;
		f->window = tcp->window;
		f->headers = (__u32)(at - start) + bytes;
		f->payload = length > bytes ? length - bytes : 0;
		f->is_tcp = 1;
		return 1;
	}
	if (protocol != IPPROTO_UDP || at + 8 > end ||
	    (nilo_config.features & NILO_FEATURE_VXLAN && nilo_is_vxlan_port(((struct nilo_ports_header *)at)->dport)))
		return 0;
	f->headers = (__u32)(at - start) + 8;
	f->is_tcp = 0;
	f->seq = f->payload = 0;
	f->tcp_flags = f->window = 0;
	return 1;
}

/* Returns 0 when the packet is for the general parser. */
static __always_inline int nilo_parse_fast(struct __sk_buff *skb, struct nilo_flow_key *key, struct nilo_facts *f)
{
	void *start = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = start;
	__u64 *w = (__u64 *)key;

	if (skb->vlan_present || start + sizeof(*eth) + sizeof(struct nilo_ipv4_header) + 8 > end)
		return 0;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct nilo_ipv4_header *ip = (void *)(eth + 1);

		__u32 length = bpf_ntohs(ip->length);

		if (ip->version_ihl != 0x45 || ip->fragment & bpf_htons(0x3fff) || length < sizeof(*ip) ||
		    !nilo_fast_transport(start, ip + 1, end, ip->protocol, length - sizeof(*ip), f))
			return 0;
		w[0] = ip->saddr;
		w[1] = 0;
		w[2] = ip->daddr;
		w[3] = 0;
		w[4] = *(__u32 *)(ip + 1) | (__u64)ip->protocol << 32 | (__u64)NILO_FORM_PORTS << 40 |
		       (__u64)ETH_P_IP << 48;
		f->tos = ip->tos;
		f->ttl = ip->ttl;
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct nilo_ipv6_header *ip = (void *)(eth + 1);

		if ((void *)(ip + 1) + 8 > end || ip->version_class >> 4 != 6 ||
		    !nilo_fast_transport(start, ip + 1, end, ip->next, bpf_ntohs(ip->length), f))
			return 0;
		w[0] = ip->saddr[0];
		w[1] = ip->saddr[1];
		w[2] = ip->daddr[0];
		w[3] = ip->daddr[1];
		w[4] = *(__u32 *)(ip + 1) | (__u64)ip->next << 32 | (__u64)NILO_FORM_PORTS << 40 |
		       (__u64)ETH_P_IPV6 << 48;
		f->tos = ip->version_class << 4 | ip->class_label >> 4;
		f->ttl = ip->hop_limit;
	} else {
		return 0;
	}
	f->skb_bytes = skb->len;
	f->remarks = 0;
	f->segmentable = 1;
	return 1;
}

#endif
