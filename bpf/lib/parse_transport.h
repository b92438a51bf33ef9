/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Transport headers: ports, ICMP type and identifier, and what TCP says of itself (RFC 9293, 768, 792, 4443, 9260). */
#ifndef NILO_PARSE_TRANSPORT_H
#define NILO_PARSE_TRANSPORT_H
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include "lib/cursor.h"
#include "lib/maps.h"
#include "lib/packet.h"

#ifndef IPPROTO_SCTP
#define IPPROTO_SCTP 132
#endif
#define NILO_IPPROTO_DCCP 33
#define NILO_IPPROTO_UDPLITE 136
#define NILO_IPPROTO_ICMPV6 58

struct nilo_ports_header {
	__be16 sport;
	__be16 dport;
};

struct nilo_tcp_header {
	__be16 sport;
	__be16 dport;
	__be32 seq;
	__be32 ack;
	__u8 offset; /* data offset << 4 | reserved | AE */
	__u8 flags;
	__be16 window;
	__be16 check;
	__be16 urgent;
};

struct nilo_icmp_header {
	__u8 type;
	__u8 code;
	__be16 check;
	__be16 id;
	__be16 seq;
};

/* Does this ICMP type carry an identifier? (echo and timestamp; ICMPv6 echo) */
static __always_inline int nilo_icmp_has_id(__u8 protocol, __u8 type)
{
	if (protocol == IPPROTO_ICMP)
		return type == 0 || type == 8 || type == 13 || type == 14;
	return type == 128 || type == 129;
}

/* `length`: bytes from the transport header on, as the IP header says. Returns 0, or -1 when the header is cut off. */
static __always_inline int nilo_parse_tcp(struct nilo_cursor *c, struct nilo_packet *p, struct nilo_tuple *t, __u32 length)
{
	struct nilo_tcp_header *tcp = nilo_step(c, sizeof(*tcp));
	__u32 bytes;

	if (!tcp)
		return -1;
	bytes = (tcp->offset >> 4) * 4;
	if (bytes < sizeof(*tcp))
		return -1;
	t->sport = tcp->sport;
	t->dport = tcp->dport;
	t->form = NILO_FORM_PORTS;
	p->facts.seq = bpf_ntohl(tcp->seq);
	p->facts.tcp_flags = tcp->flags | (tcp->offset & 1) << 8;
	p->facts.window = tcp->window;
	p->facts.headers = (__u32)((void *)tcp - c->start) + bytes;
	p->facts.payload = length > bytes ? length - bytes : 0;
	p->facts.is_tcp = 1;
	p->facts.segmentable = 1;
	return 0;
}

static __always_inline int nilo_parse_transport(struct nilo_cursor *c, struct nilo_packet *p, struct nilo_tuple *t,
						__u32 length)
{
	struct nilo_icmp_header *icmp;
	struct nilo_ports_header *ports;

	switch (t->protocol) {
	case IPPROTO_TCP:
		return nilo_parse_tcp(c, p, t, length);
	case IPPROTO_UDP:
	case NILO_IPPROTO_UDPLITE:
		ports = nilo_step(c, 8);
		if (!ports)
			return -1;
		p->facts.headers = (__u32)(c->at - c->start);
		p->facts.segmentable = 1;
		break;
	case IPPROTO_SCTP:
	case NILO_IPPROTO_DCCP:
		ports = nilo_step(c, 12);
		if (!ports)
			return -1;
		break;
	case IPPROTO_ICMP:
	case NILO_IPPROTO_ICMPV6:
		icmp = nilo_step(c, sizeof(*icmp));
		if (!icmp)
			return -1;
		t->dport = bpf_htons(icmp->type << 8 | icmp->code);
		t->sport = nilo_icmp_has_id(t->protocol, icmp->type) ? icmp->id : 0;
		t->form = NILO_FORM_ICMP;
		return 0;
	default:
		t->form = NILO_FORM_NONE;
		return 0;
	}
	t->sport = ports->sport;
	t->dport = ports->dport;
	t->form = NILO_FORM_PORTS;
	return 0;
}

#endif
