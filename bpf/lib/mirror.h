/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sends copies of a packet to the sessions whose rules matched (verdict.mirrors). Never changes the packet.
 *
 * A copy that its target takes as it is goes there from here. One that needs a header before it or has to be cut goes to the mirror port
 * (mirror_port.bpf.c), whose program on egress runs within the same call.
 *
 * A copy is known by skb->tc_index, and while one is being sent nothing else on this CPU is matched: no packet is copied twice by way of
 * its copies.
 */
#ifndef NILO_MIRROR_H
#define NILO_MIRROR_H
#include <asm/errno.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>
#include "lib/maps.h"
#include "lib/mirror_maps.h"
#include "lib/mirror_ring.h"
#include "lib/order.h"
#include "lib/skip.h"

/* One entry: the namespace this instance of the programs serves, by its cookie. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} nilo_namespace SEC(".maps");

static __always_inline void nilo_copies_add(struct nilo_totals *sum, const struct nilo_totals *part)
{
	sum->skbs += part->skbs;
	sum->skb_bytes += part->skb_bytes;
	sum->wire_packets += part->wire_packets;
	sum->wire_bytes += part->wire_bytes;
}

/*
 * A flow's hash that is the same for both directions, on every interface and on every host: whole conversations are selected alike
 * everywhere. Of a tunnel the inner flow.
 */
static __always_inline __u32 nilo_conversation(const struct nilo_flow_key *key)
{
	const struct nilo_tuple *t = key->encap ? &key->inner : (const struct nilo_tuple *)key;
	const __u64 *w = (const __u64 *)t;
	__u64 a = (w[0] ^ 0x243f6a8885a308d3ULL) * 0xbf58476d1ce4e5b9ULL ^
		  (w[1] + 0x13198a2e03707344ULL) * 0x94d049bb133111ebULL;
	__u64 b = (w[2] ^ 0x243f6a8885a308d3ULL) * 0xbf58476d1ce4e5b9ULL ^
		  (w[3] + 0x13198a2e03707344ULL) * 0x94d049bb133111ebULL;
	__u64 h;

	a ^= a >> 32;
	b ^= b >> 32;
	if (t->form == NILO_FORM_PORTS) {
		a += (__u64)t->sport << 17;
		b += (__u64)t->dport << 17;
	}
	a *= 0xd6e8feb86659fd93ULL;
	b *= 0xd6e8feb86659fd93ULL;
	a ^= a >> 29;
	b ^= b >> 29;
	h = a + b + t->protocol;
	/* An echo's identifier is in both directions' first field. */
	if (t->form == NILO_FORM_ICMP)
		h += (__u64)t->sport << 40;
	h ^= h >> 31;
	h *= 0x9e3779b97f4a7c15ULL;
	return h >> 32;
}

static __always_inline int nilo_mirror_selects(const struct nilo_mirror *mirror, struct nilo_mirror_counts *counts,
					       __u32 hash)
{
	__u64 left = counts->countdown;

	if (mirror->selection == NILO_MIRROR_FLOWS)
		return hash < mirror->chance;
	if (unlikely(!left))
		left = nilo_skip(mirror->chance, mirror->shift);
	counts->countdown = --left;
	return !left;
}

/*
 * The token bucket, as the time when it will be full again (the generic cell rate algorithm of ATM Forum TM 4.1, by virtual scheduling).
 * The clock is jiffies: reading the precise one takes longer than all the rest. What that leaves out is made up for in the next jiffy,
 * so the rate is exact over time.
 */
static __always_inline int nilo_mirror_caps_it(const struct nilo_mirror *mirror, __u32 session, __u64 units)
{
	struct nilo_mirror_cap *cap = bpf_map_lookup_elem(&nilo_mirror_cap, &session);
	__u64 now = bpf_jiffies64() * nilo_config.jiffy_ns << NILO_MIRROR_CAP_SHIFT;

	if (!cap)
		return 1;
	for (int i = 0; i < 4; i++) {
		__u64 due = *(volatile __u64 *)&cap->due, ahead = due - now;

		/* Long in the past, or of another clock: the bucket is full. */
		if ((__s64)ahead < 0 || ahead > mirror->cap_most)
			ahead = 0;
		if (ahead > mirror->cap_burst)
			return 1;
		if (__sync_val_compare_and_swap(&cap->due, due, now + ahead + units * mirror->cap_cost) == due)
			return 0;
	}
	return 1; /* Others took it meanwhile. */
}

/* What the cap counts of a copy. */
static __always_inline __u64 nilo_mirror_units(const struct nilo_mirror *mirror, const struct nilo_mirror_now *c,
					       int is_cut, __u32 limit)
{
	__u64 packets = is_cut ? c->totals.wire_packets : c->totals.skbs, most = packets * limit;

	if (mirror->flags & NILO_MIRROR_CAP_PACKETS)
		return packets;
	return is_cut && most < c->totals.wire_bytes ? most : c->totals.wire_bytes;
}

/* One session. Returns 0. */
__noinline int nilo_mirror_to(struct __sk_buff *skb, const struct nilo_flow_key *key, __u32 session)
{
	struct nilo_mirror *mirror = bpf_map_lookup_elem(&nilo_mirrors, &session);
	struct nilo_mirror_counts *counts = bpf_map_lookup_elem(&nilo_copies, &session);
	__u32 zero = 0, limit, room, shrinks, outcome, tag, is_cut, is_direct;
	struct nilo_mirror_now *c = bpf_map_lookup_elem(&nilo_mirror_now, &zero);
	long result;

	if (!c || !key || !mirror || !counts || mirror->target == NILO_MIRROR_NOWHERE ||
	    mirror->netns_cookie != c->netns_cookie)
		return 0;
	if (mirror->target == NILO_MIRROR_DEVICE && mirror->ifindex == skb->ifindex)
		return 0;
	nilo_copies_add(&counts->matched, &c->totals);
	if (unlikely(c->mirrors & mirror->outranked_by)) {
		counts->outranked++;
		return 0;
	}
	if (!c->hash && (mirror->selection == NILO_MIRROR_FLOWS || mirror->target == NILO_MIRROR_TUNNEL))
		c->hash = nilo_conversation(key) | 1;
	if (mirror->selection != NILO_MIRROR_EVERY && !nilo_mirror_selects(mirror, counts, c->hash)) {
		counts->unselected++;
		return 0;
	}
	room = mirror->target == NILO_MIRROR_TUNNEL ? mirror->header_length : 0;
	/* A tag is not counted in a device's MTU; in a tunnel it is. */
	limit = mirror->frame_limit + (!room && key->vlan ? 4 : 0);
	shrinks = c->is_super && c->largest > limit;
	if (c->is_super)
		is_cut = mirror->flags & NILO_MIRROR_WIRE || c->largest > mirror->snap || c->largest > limit + room ||
			 c->totals.skb_bytes + room > 65535;
	else
		is_cut = c->largest > limit || c->largest > mirror->snap;
	if (limit > mirror->snap)
		limit = mirror->snap;
	if (mirror->cap_cost && nilo_mirror_caps_it(mirror, session, nilo_mirror_units(mirror, c, is_cut, limit))) {
		nilo_copies_add(&counts->capped, &c->totals);
		return 0;
	}
	if (unlikely(mirror->state != NILO_MIRROR_READY)) {
		counts->failed[(mirror->state - 1) & (NILO_MIRROR_FAILURES - 1)]++;
		return 0;
	}
	if (mirror->target == NILO_MIRROR_RING) {
		outcome = nilo_capture(skb, mirror, c, key, session & (NILO_MIRRORS - 1), counts);
		if (likely(outcome == NILO_MIRROR_SENT))
			nilo_copies_add(&counts->sent, &c->totals);
		else
			counts->failed[(outcome - NILO_MIRROR_FAILED) & (NILO_MIRROR_FAILURES - 1)]++;
		return 0;
	}
	is_direct = mirror->target == NILO_MIRROR_DEVICE && !is_cut;
	c->is_busy = 1;
	c->session = session;
	c->is_cut = is_cut;
	c->shrinks = shrinks;
	c->outcome = is_direct ? NILO_MIRROR_SENT : NILO_MIRROR_UNTOLD;
	tag = skb->tc_index;
	skb->tc_index = NILO_MIRROR_TAG;
	result = bpf_clone_redirect(skb, is_direct ? mirror->ifindex : mirror->port, 0);
	skb->tc_index = tag;
	c->is_busy = 0;
	outcome = c->outcome;
	if (likely(outcome == NILO_MIRROR_SENT && !(is_direct && result)))
		nilo_copies_add(&counts->sent, &c->totals);
	else if (outcome == NILO_MIRROR_QUEUED)
		nilo_copies_add(&counts->queued, &c->totals);
	else if (outcome >= NILO_MIRROR_FAILED)
		counts->failed[(outcome - NILO_MIRROR_FAILED) & (NILO_MIRROR_FAILURES - 1)]++;
	else
		counts->failed[nilo_mirror_failure_of(result) & (NILO_MIRROR_FAILURES - 1)]++;
	return 0;
}

/* Copies of ERSPAN from here or elsewhere: GRE with the protocol type of ERSPAN (I to III). */
static __always_inline int nilo_is_erspan(struct __sk_buff *skb, const struct nilo_flow_key *key)
{
	__u8 vihl = 0;
	__be16 type = 0;

	if (key->protocol != IPPROTO_GRE)
		return 0;
	if (bpf_skb_load_bytes_relative(skb, 0, &vihl, 1, BPF_HDR_START_NET) ||
	    bpf_skb_load_bytes_relative(skb, (vihl >> 4 == 4 ? (vihl & 15) * 4 : 40) + 2, &type, 2, BPF_HDR_START_NET))
		return 0;
	return type == bpf_htons(0x88be) || type == bpf_htons(0x22eb);
}

/*
 * Is this an ICMP error about one of our copies? A collector that does not listen answers each of them, and a session that matches ICMP
 * would copy the answer, and so on without an end. A quote that is cut before the VNI is taken for one of a copy. IP options and extension
 * headers are not stepped over: our copies have none, nor has what Linux answers.
 */
__noinline int nilo_is_about_copy(struct __sk_buff *skb, const struct nilo_flow_key *key)
{
	__u32 is_v6, type, quoted, header;
	__be16 ports[2] = {}; /* of GRE: flags and protocol type */
	__be32 vni = 0;       /* << 8 */
	__u8 protocol = 0;

	if (!key || key->form != NILO_FORM_ICMP)
		return 0;
	type = bpf_ntohs(key->dport) >> 8;
	is_v6 = key->protocol != IPPROTO_ICMP;
	if (is_v6 ? type < 1 || type > 4 : type != 3 && type != 4 && type != 11 && type != 12)
		return 0;
	header = is_v6 ? 40 : 20;
	quoted = header + 8;
	if (bpf_skb_load_bytes_relative(skb, quoted + (is_v6 ? 6 : 9), &protocol, 1, BPF_HDR_START_NET) ||
	    bpf_skb_load_bytes_relative(skb, quoted + header, ports, sizeof(ports), BPF_HDR_START_NET))
		return 0;
	if (protocol == IPPROTO_GRE)
		return ports[1] == bpf_htons(0x88be) || ports[1] == bpf_htons(0x22eb);
	if (protocol != IPPROTO_UDP || !nilo_is_vxlan_port(ports[1]))
		return 0;
	if (bpf_skb_load_bytes_relative(skb, quoted + header + 12, &vni, sizeof(vni), BPF_HDR_START_NET))
		return 1;
	return bpf_ntohl(vni) >> 8 >= NILO_MIRROR_VNI_FIRST;
}

/* The number of the lowest bit that is set; the instruction set has none for it. */
static __always_inline __u32 nilo_lowest(__u32 bits)
{
	__u32 n = 0;

	if (!(bits & 0xffff)) {
		n = 16;
		bits >>= 16;
	}
	if (!(bits & 0xff)) {
		n += 8;
		bits >>= 8;
	}
	if (!(bits & 15)) {
		n += 4;
		bits >>= 4;
	}
	if (!(bits & 3)) {
		n += 2;
		bits >>= 2;
	}
	return n + !(bits & 1);
}

/* The packet is the one in the scratchpad (`matched`). */
__noinline int nilo_mirror(struct __sk_buff *skb, const struct nilo_flow_key *key)
{
	__u32 zero = 0, mirrors;
	struct nilo_mirror_now *c = bpf_map_lookup_elem(&nilo_mirror_now, &zero);
	__u64 *cookie = bpf_map_lookup_elem(&nilo_namespace, &zero);
	struct nilo_scratch *scratch = nilo_scratch();
	const struct nilo_matched *m;

	if (!key || !c || !cookie || !scratch || c->is_busy || unlikely(nilo_is_erspan(skb, key)) ||
	    unlikely(nilo_is_about_copy(skb, key)))
		return 0;
	m = &scratch->matched;
	c->hash = 0;
	c->totals.skbs = 1;
	c->totals.skb_bytes = m->facts.skb_bytes;
	c->totals.wire_packets = m->wire.packets;
	c->totals.wire_bytes = m->wire.bytes;
	c->netns_cookie = *cookie;
	c->mirrors = mirrors = m->verdict.mirrors;
	c->largest = m->wire.largest;
	c->is_super = m->wire.segment_bytes != 0;
	for (int i = 0; i < NILO_MIRRORS && mirrors; i++) {
		nilo_mirror_to(skb, key, nilo_lowest(mirrors));
		mirrors &= mirrors - 1;
	}
	return 0;
}

#endif
