/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The pipeline of a packet: parse once, account, sample what begins a flow, and where there are rules sample, mirror, shape. One stage per
 * header, in this order.
 */
#ifndef NILO_PIPELINE_H
#define NILO_PIPELINE_H
#include "lib/account.h"
#include "lib/parse_fast.h"
#include "lib/policy.h"

/* The shapes that are not common: tags, tunnels, fragments, ICMP, whatever else. */
static __always_inline int nilo_parse_uncommon(struct __sk_buff *skb, struct nilo_flow_key *key,
					       struct nilo_facts *facts, __u32 if_id, __u32 direction, __u32 layer3)
{
	struct nilo_scratch *scratch = nilo_scratch();
	int wanted;

	if (!scratch)
		return -1;
	scratch->packet.if_id = if_id;
	scratch->packet.direction = direction;
	scratch->packet.is_final = 0;
	__builtin_memset(key, 0, sizeof(*key));
	wanted = nilo_parse_general(skb, &scratch->packet, key, layer3);
	if (unlikely(wanted)) {
		/* Headers outside the linear part are rare (some drivers, some local senders): pull them in and read again. */
		bpf_skb_pull_data(skb, wanted);
		scratch->packet.is_final = 1;
		nilo_parse_general(skb, &scratch->packet, key, layer3);
	}
	if (scratch->packet.is_tunnel)
		nilo_parse_vxlan(skb, &scratch->packet, key);
	*facts = scratch->packet.facts;
	return 0;
}

/*
 * Returns what the tc program is to return.
 *
 * Its 384 bytes of stack stand below those of every function it calls, 512 are all there is on a path, and each function takes a multiple
 * of 32 (kernel 6.1): a stage and what it calls have 128. So what the stages need is kept in the
 * scratchpad, and they are called from here rather than from each other.
 */
static __always_inline int nilo_packet_seen(struct __sk_buff *skb, __u32 direction)
{
	__u32 entry = skb->ifindex & (NILO_PORTS - 1), if_id = 0, ledger = NILO_LEDGER_UNKNOWN, flags = 0, place;
	const struct nilo_port *port = bpf_map_lookup_elem(&nilo_ports, &entry);
	struct nilo_flow_key key __attribute__((aligned(8)));
	__u64 *w = (__u64 *)&key;
	struct nilo_facts facts;
	struct nilo_wire wire;

	if (likely(port && port->ifindex == skb->ifindex)) {
		if_id = port->if_id;
		ledger = port->ledger;
		flags = port->flags;
	}
	if (likely(!(flags & NILO_PORT_LAYER3) && nilo_parse_fast(skb, &key, &facts))) {
		w[5] = if_id;
		w[6] = (__u64)direction << 32;
		w[7] = w[8] = w[9] = w[10] = w[11] = 0;
	} else if (nilo_parse_uncommon(skb, &key, &facts, if_id, direction, flags & NILO_PORT_LAYER3)) {
		return TC_ACT_UNSPEC;
	}
	place = nilo_account(skb, &facts, &key, ledger, direction, &wire);
	if (flags & NILO_PORT_FIRST && unlikely(place & NILO_PLACE_YOUNG || key.ethertype == NILO_FIRST_ETHERTYPE))
		nilo_take_first(skb, &key, &facts, &wire, place, direction);
	if (likely(!(flags & NILO_PORT_RULES_INGRESS << direction)))
		return TC_ACT_UNSPEC;
	return nilo_apply(skb, &key, &facts, &wire, place, direction);
}

#endif
