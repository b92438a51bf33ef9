// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The flow programs, one per direction.
 *
 * They are guests on the hook: they return TC_ACT_UNSPEC (TCX_NEXT), so that the programs after them run and the packet goes its way,
 * unless a rule polices the packet away.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include "lib/pipeline.h"

SEC("tc")
int nilo_ingress(struct __sk_buff *skb)
{
	return nilo_packet_seen(skb, NILO_INGRESS);
}

SEC("tc")
int nilo_egress(struct __sk_buff *skb)
{
	return nilo_packet_seen(skb, NILO_EGRESS);
}

/* Run by user space, never attached: the clock that slots are stamped with. */
SEC("tc")
int nilo_clock(struct __sk_buff *skb)
{
	return bpf_jiffies64();
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
