// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The mirror port: a veth pair of ours, through which copies go that cannot be handed to their target as they are.
 *
 * `nilo_mirror_out` stands on egress of the end that copies are sent to. It puts tunnel headers on a copy and sends it on from there. A
 * copy that is to be cut goes over the pair: that end has no offloads, so the kernel cuts a super-packet and completes checksums on
 * the way, before bytes are missing. `nilo_mirror_in` stands on ingress of the other end and does the rest, packet by packet.
 *
 * What a copy is to the second program it carries in skb->mark: the session, its generation and the flow's hash.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "lib/mirror_maps.h"
#include "lib/mirror_tunnel.h"
#include "lib/order.h"

#define NILO_MARK_SESSION 0x1fu
#define NILO_MARK_ENVELOPED 0x20u
#define NILO_MARK_GENERATION_SHIFT 8
#define NILO_MARK_HASH 0xffff0000u

static __always_inline __u32 nilo_mark(const struct nilo_mirror *mirror, __u32 session, __u32 hash, __u32 flags)
{
	return session | flags | (__u32)mirror->generation << NILO_MARK_GENERATION_SHIFT | (hash & NILO_MARK_HASH);
}

static __always_inline int nilo_over(struct __sk_buff *skb, struct nilo_mirror_now *now,
				     struct nilo_mirror_counts *counts, const struct nilo_mirror *mirror, __u32 flags)
{
	now->outcome = NILO_MIRROR_QUEUED;
	if (skb->gso_size)
		counts->segmented++;
	skb->mark = nilo_mark(mirror, now->session, now->hash, flags);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int nilo_mirror_out(struct __sk_buff *skb)
{
	__u32 zero = 0, session;
	struct nilo_mirror_now *now = bpf_map_lookup_elem(&nilo_mirror_now, &zero);
	struct nilo_mirror_counts *counts;
	struct nilo_mirror *mirror;

	/* Nobody else has business here. */
	if (!now || skb->tc_index != NILO_MIRROR_TAG)
		return TC_ACT_SHOT;
	/* One that comes round a second time, from the other end. */
	if (!now->is_busy)
		return TC_ACT_UNSPEC;
	session = now->session & (NILO_MIRRORS - 1);
	mirror = bpf_map_lookup_elem(&nilo_mirrors, &session);
	counts = bpf_map_lookup_elem(&nilo_copies, &session);
	if (!mirror || !counts)
		return TC_ACT_SHOT;
	if (now->is_cut || mirror->target != NILO_MIRROR_TUNNEL || (mirror->flags & NILO_MIRROR_ERSPAN && skb->gso_size))
		return nilo_over(skb, now, counts, mirror, 0);
	switch (nilo_envelop(skb, mirror, session, now->hash, now->shrinks, 0)) {
	case NILO_ENVELOPED:
		now->outcome = NILO_MIRROR_SENT;
		skb->mark = 0;
		return nilo_to_nexthop(mirror);
	case NILO_ENVELOPED_ROUGHLY:
		return nilo_over(skb, now, counts, mirror, NILO_MARK_ENVELOPED);
	case NILO_ENVELOPE_REFUSED:
		return nilo_over(skb, now, counts, mirror, 0);
	}
	now->outcome = NILO_MIRROR_FAILED + NILO_MIRROR_FORM;
	return TC_ACT_SHOT;
}

static __always_inline int nilo_lost(struct nilo_mirror_counts *counts, __u32 failure)
{
	counts->failed[failure & (NILO_MIRROR_FAILURES - 1)]++;
	counts->arrived_failed++;
	return TC_ACT_SHOT;
}

static __always_inline int nilo_arrived(struct nilo_mirror_counts *counts, __u32 bytes)
{
	counts->arrived_packets++;
	counts->arrived_bytes += bytes;
	return 0;
}

/* Cuts a frame to what is asked for and what fits. Returns its length, tag included; 0 when it could not be cut. */
static __always_inline __u32 nilo_fit(struct __sk_buff *skb, const struct nilo_mirror *mirror,
				      struct nilo_mirror_counts *counts)
{
	__u32 tag = skb->vlan_present ? 4 : 0,
	      most = mirror->frame_limit + (mirror->target == NILO_MIRROR_TUNNEL ? 0 : tag);

	if (most > mirror->snap)
		most = mirror->snap;
	if (skb->len + tag <= most)
		return skb->len + tag;
	if (most < NILO_MIRROR_SNAP_LEAST || bpf_skb_change_tail(skb, most - tag, 0))
		return 0;
	counts->truncated++;
	return most;
}

SEC("tc")
int nilo_mirror_in(struct __sk_buff *skb)
{
	__u32 mark = skb->mark, session = mark & NILO_MARK_SESSION, bytes, before;
	struct nilo_mirror_counts *counts = bpf_map_lookup_elem(&nilo_copies, &session);
	struct nilo_mirror *mirror = bpf_map_lookup_elem(&nilo_mirrors, &session);
	long result;

	if (!mirror || !counts || skb->tc_index != NILO_MIRROR_TAG)
		return TC_ACT_SHOT;
	if (mirror->generation != (__u8)(mark >> NILO_MARK_GENERATION_SHIFT))
		return nilo_lost(counts, NILO_MIRROR_STALE);
	skb->mark = 0;
	if (mark & NILO_MARK_ENVELOPED) {
		nilo_arrived(counts, skb->len - mirror->header_length);
		return nilo_to_nexthop(mirror);
	}
	before = skb->len;
	bytes = nilo_fit(skb, mirror, counts);
	if (!bytes)
		return nilo_lost(counts, NILO_MIRROR_FORM);
	if (mirror->target == NILO_MIRROR_DEVICE) {
		/* A clone, because sending that tells how it went. */
		result = bpf_clone_redirect(skb, mirror->ifindex, 0);
		if (result)
			return nilo_lost(counts, nilo_mirror_failure_of(result));
		nilo_arrived(counts, bytes);
		return TC_ACT_SHOT;
	}
	switch (nilo_envelop(skb, mirror, session, mark, 0, bytes < before)) {
	case NILO_ENVELOPED:
		nilo_arrived(counts, bytes);
		return nilo_to_nexthop(mirror);
	case NILO_ENVELOPED_ROUGHLY:
		/* Once more over the pair, at whose end the kernel reads the outer header. */
		skb->mark = nilo_mark(mirror, session, mark, NILO_MARK_ENVELOPED);
		return bpf_redirect(mirror->port, 0);
	}
	return nilo_lost(counts, NILO_MIRROR_FORM);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
