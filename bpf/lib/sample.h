/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Hands samples of packets to user space, by the rule that matched (verdict.sampler). */
#ifndef NILO_SAMPLE_H
#define NILO_SAMPLE_H
#include <linux/pkt_cls.h>
#include "lib/maps.h"

__noinline int nilo_sample(struct __sk_buff *skb, const struct nilo_matched *m, const struct nilo_flow_key *key)
{
	return TC_ACT_UNSPEC;
}

#endif
