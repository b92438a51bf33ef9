/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Puts a tunnel's headers before a copy: VXLAN (RFC 7348) or ERSPAN type II (draft-foschiano-erspan), over IPv4 or IPv6. They are a
 * session's prepared bytes, in which lengths, checksum, source port and sequence number are filled in.
 */
#ifndef NILO_MIRROR_TUNNEL_H
#define NILO_MIRROR_TUNNEL_H
#include <asm/errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "lib/mirror_maps.h"
#include "lib/order.h"

#define NILO_MIRROR_TAGS 2

/* The tunnel's headers and the frame's own Ethernet header, as they will stand side by side. */
struct nilo_envelope {
	__u8 header[NILO_MIRROR_HEADER];
	__u8 macs[12];
	__be16 rest[2 * NILO_MIRROR_TAGS + 1]; /* tags, type */
	__u8 pad[26]; /* for the verifier, which takes the largest start and the largest size together */
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nilo_envelope);
} nilo_envelopes SEC(".maps");

/* What putting the headers on comes to. */
enum nilo_enveloped {
	NILO_ENVELOPED = 0,
	NILO_ENVELOPED_ROUGHLY = 1, /* the kernel must read the frame anew before it can be routed */
	NILO_ENVELOPE_REFUSED = 2,  /* a super-packet that must be cut first; it is as it was */
	NILO_ENVELOPE_FAILED = 3,
};

static __always_inline void nilo_envelope_lengths(struct nilo_envelope *e, const struct nilo_mirror *mirror,
						  __u32 ip_bytes, __u32 hash)
{
	__be16 *h = (__be16 *)e->header;

	if (mirror->flags & NILO_MIRROR_OUTER_IPV6) {
		h[10] = bpf_htons(ip_bytes - 40);
	} else {
		__u32 sum = mirror->header_sum + bpf_htons(ip_bytes);

		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		h[19] = bpf_htons(ip_bytes);
		h[23] = ~sum;
	}
	if (mirror->flags & NILO_MIRROR_ERSPAN)
		return;
	/* The ports that RFC 7348 recommends: 49152 and above, by the flow, so that a flow keeps to one path. */
	h[28] = bpf_htons(0xc000 | (hash >> 16 & 0x3fff));
	h[30] = bpf_htons(ip_bytes - (mirror->flags & NILO_MIRROR_OUTER_IPV6 ? 40 : 20));
}

/* The sequence number of GRE, and whether the frame was cut. */
static __always_inline int nilo_envelope_erspan(struct nilo_envelope *e, __u32 session, int is_cut)
{
	struct nilo_mirror_cap *cap = bpf_map_lookup_elem(&nilo_mirror_cap, &session);

	if (!cap)
		return -1;
	*(__be32 *)(e->header + 60) = bpf_htonl(__sync_fetch_and_add(&cap->sequence, 1));
	if (is_cut)
		e->header[66] |= 0x04;
	return 0;
}

/*
 * Makes the room. The kernel keeps the offsets of the frame inside, so that it can go on cutting and completing it; where it does not
 * know the frame's protocol, or one tunnel is there already, bytes are just put before it.
 */
static __always_inline int nilo_envelope_room(struct __sk_buff *skb, const struct nilo_mirror *mirror, __u32 tags,
					      int shrinks)
{
	__u64 flags = BPF_F_ADJ_ROOM_ENCAP_L2(ETH_HLEN + 4 * (tags & 3)) | BPF_F_ADJ_ROOM_ENCAP_L2_ETH;
	__u32 room = mirror->header_length + 4 * tags;

	flags |= mirror->flags & NILO_MIRROR_OUTER_IPV6 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV4;
	flags |= mirror->flags & NILO_MIRROR_ERSPAN ? BPF_F_ADJ_ROOM_ENCAP_L4_GRE : BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
	if (!shrinks)
		flags |= BPF_F_ADJ_ROOM_FIXED_GSO;
	if (likely(!bpf_skb_adjust_room(skb, room, BPF_ADJ_ROOM_MAC, flags)))
		return NILO_ENVELOPED;
	if (skb->gso_size)
		return NILO_ENVELOPE_REFUSED;
	return bpf_skb_change_head(skb, room, 0) ? NILO_ENVELOPE_FAILED : NILO_ENVELOPED_ROUGHLY;
}

/*
 * - hash: of the flow; the upper half counts.
 * - shrinks: a super-packet's segments become smaller by the room that the headers take.
 * Returns enum nilo_enveloped.
 */
static __always_inline int nilo_envelop(struct __sk_buff *skb, const struct nilo_mirror *mirror, __u32 session,
					__u32 hash, int shrinks, int is_cut)
{
	__u32 zero = 0, tags = 0, frame, length = mirror->header_length;
	struct nilo_envelope *e = bpf_map_lookup_elem(&nilo_envelopes, &zero);
	int made;
	long failed;

	if (!e || length != (mirror->flags & NILO_MIRROR_OUTER_IPV6 ? NILO_MIRROR_HEADER_IPV6 : NILO_MIRROR_HEADER_IPV4) ||
	    bpf_skb_load_bytes(skb, 0, e->macs, 12))
		return NILO_ENVELOPE_FAILED;
	__builtin_memcpy(e->header, mirror->header, NILO_MIRROR_HEADER);
	/* A tag that the kernel keeps beside the data belongs to the frame: into the tunnel with it. */
	if (unlikely(skb->vlan_present)) {
		e->rest[0] = skb->vlan_proto;
		e->rest[1] = bpf_htons(skb->vlan_tci);
		if (bpf_skb_vlan_pop(skb))
			return NILO_ENVELOPE_FAILED;
		tags = 1;
		if (skb->vlan_present) {
			e->rest[2] = skb->vlan_proto;
			e->rest[3] = bpf_htons(skb->vlan_tci);
			if (bpf_skb_vlan_pop(skb))
				return NILO_ENVELOPE_FAILED;
			tags = 2;
		}
		if (bpf_skb_load_bytes(skb, 12, &e->rest[2 * tags], 2))
			return NILO_ENVELOPE_FAILED;
	} else if (bpf_skb_load_bytes(skb, 12, e->rest, 2)) {
		return NILO_ENVELOPE_FAILED;
	}
	frame = skb->len + 4 * tags;
	made = nilo_envelope_room(skb, mirror, tags, shrinks);
	if (made >= NILO_ENVELOPE_REFUSED)
		return made == NILO_ENVELOPE_REFUSED && tags ? NILO_ENVELOPE_FAILED : made;
	nilo_envelope_lengths(e, mirror, frame + length - ETH_HLEN, hash);
	if (mirror->flags & NILO_MIRROR_ERSPAN && nilo_envelope_erspan(e, session, is_cut))
		return NILO_ENVELOPE_FAILED;
	/* By constants: what older kernels can follow. */
	tags = ETH_HLEN + 4 * tags;
	failed = mirror->flags & NILO_MIRROR_OUTER_IPV6
			 ? bpf_skb_store_bytes(skb, 0, e->header + 2, NILO_MIRROR_HEADER_IPV6 + tags, 0)
			 : bpf_skb_store_bytes(skb, 0, e->header + 22, NILO_MIRROR_HEADER_IPV4 + tags, 0);
	if (failed)
		return NILO_ENVELOPE_FAILED;
	return made;
}

/* To the nexthop, whose address the kernel's neighbour table knows or finds out. Returns the action of the tc program. */
static __always_inline int nilo_to_nexthop(const struct nilo_mirror *mirror)
{
	struct bpf_redir_neigh hop = {
		.nh_family = mirror->nexthop_family,
		.ipv6_nh = { mirror->nexthop[0], mirror->nexthop[1], mirror->nexthop[2], mirror->nexthop[3] },
	};

	return bpf_redirect_neigh(mirror->ifindex, &hop, sizeof(hop), 0);
}

#endif
