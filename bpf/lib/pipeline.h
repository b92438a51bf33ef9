/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The pipeline of a packet: parse once, account. One stage per header, in this order. */
#ifndef NILO_PIPELINE_H
#define NILO_PIPELINE_H
#include "lib/account.h"
#include "lib/parse.h"

static __always_inline void nilo_packet_seen(struct __sk_buff *skb, int direction)
{
	const struct nilo_port unknown = { .ledger = NILO_LEDGER_UNKNOWN };
	__u32 entry = skb->ifindex & (NILO_PORTS - 1);
	const struct nilo_port *port = bpf_map_lookup_elem(&nilo_ports, &entry);
	struct nilo_flow_key key __attribute__((aligned(8)));
	struct nilo_packet packet __attribute__((aligned(8)));

	if (unlikely(!port || port->ifindex != skb->ifindex))
		port = &unknown;
	nilo_parse(skb, &packet, &key, port, direction);
	nilo_account(skb, &packet, &key, port);
}

#endif
