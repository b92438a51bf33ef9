/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The identity of a flow as one observation point sees it.
 *
 * A packet has exactly one key: the five-tuple of the frame, the interface and direction it was seen on, its
 * VLAN tags, and, for VXLAN on an underlay, also the VNI and the inner five-tuple (RFC 7348).
 *
 * The key is read as twelve 64-bit words by hash and compare; every byte is always written, so that equal flows are
 * equal memory. Words 7..11 (the inner tuple) are zero and not looked at unless `encap` is set.
 */
#ifndef NILO_ABI_FLOW_KEY_H
#define NILO_ABI_FLOW_KEY_H
#include <linux/types.h>
#include <stddef.h>

enum nilo_direction {
	NILO_INGRESS = 0,
	NILO_EGRESS = 1,
};

/* How the two port fields of a tuple are to be read. */
enum nilo_form {
	NILO_FORM_NONE = 0,      /* no ports: another IP protocol, ARP, non-IP */
	NILO_FORM_PORTS = 1,     /* TCP, UDP, UDP-Lite, SCTP, DCCP */
	NILO_FORM_ICMP = 2,      /* sport: echo identifier or 0; dport: type << 8 | code */
	NILO_FORM_FRAGMENT = 3,  /* a later fragment whose first one was not seen: ports unknown */
	NILO_FORM_TRUNCATED = 4, /* the header that should hold the ports is cut off or malformed */
};

enum nilo_encap {
	NILO_ENCAP_NONE = 0,
	NILO_ENCAP_VXLAN = 1,
};

#define NILO_VLAN_PRESENT 0x1000 /* a tag is there; the low 12 bits are its VLAN identifier */

struct nilo_tuple {
	__u8 saddr[16]; /* IPv4 in the first 4 bytes, the rest 0 */
	__u8 daddr[16];
	__be16 sport;
	__be16 dport;
	__u8 protocol;   /* IPPROTO_*, after IPv6 extension headers */
	__u8 form;       /* enum nilo_form */
	__u16 ethertype; /* host order; ETH_P_802_2 (4) for frames with an 802.3 length */
};

struct nilo_flow_key {
	__u8 saddr[16];
	__u8 daddr[16];
	__be16 sport;
	__be16 dport;
	__u8 protocol;
	__u8 form;
	__u16 ethertype;
	__u32 if_id; /* Nilometer's own identity of the interface; never reused */
	__u32 vni;
	__u16 vlan;       /* outer tag: identifier | NILO_VLAN_PRESENT, or 0 */
	__u16 inner_vlan; /* second tag (QinQ), likewise */
	__u8 direction;   /* enum nilo_direction */
	__u8 encap;       /* enum nilo_encap */
	__u16 reserved;   /* 0 */
	struct nilo_tuple inner;
};

#define NILO_KEY_WORDS 12
#define NILO_KEY_OUTER_WORDS 7

_Static_assert(sizeof(struct nilo_tuple) == 40, "nilo_tuple");
_Static_assert(sizeof(struct nilo_flow_key) == 96, "nilo_flow_key");
_Static_assert(offsetof(struct nilo_flow_key, inner) == 56, "nilo_flow_key.inner");
#endif
