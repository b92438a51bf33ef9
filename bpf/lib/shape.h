/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Puts a packet into its class, or polices it, by the rule that matched (verdict.shaper). */
#ifndef NILO_SHAPE_H
#define NILO_SHAPE_H
#include <linux/pkt_cls.h>
#include "lib/maps.h"

__noinline int nilo_shape(struct __sk_buff *skb, const struct nilo_matched *m, const struct nilo_flow_key *key)
{
	return TC_ACT_UNSPEC;
}

#endif
