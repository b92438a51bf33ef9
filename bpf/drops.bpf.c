// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Counts what the kernel drops, by device and reason, at the tracepoint that every drop passes (kfree_skb; consume_skb, where packets
 * end that reached their goal, is another).
 */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "abi/drops.h"

/* As much of the kernel's own types as is read; libbpf finds where the running kernel has the members. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct net {
	__u64 net_cookie;
};
typedef struct {
	struct net *net;
} possible_net_t;
struct sock_common {
	possible_net_t skc_net;
};
struct sock {
	struct sock_common __sk_common;
};
struct net_device {
	int ifindex;
	possible_net_t nd_net;
};
struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	unsigned int len;
};
#pragma clang attribute pop

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NILO_DROPS);
	__type(key, struct nilo_drop_key);
	__type(value, struct nilo_drops);
} nilo_drops SEC(".maps");

/* One entry: what found no room in nilo_drops. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nilo_drops);
} nilo_drops_over SEC(".maps");

/* Since Linux 6.11 a fourth argument (the receiving socket) follows; the first three stay. */
SEC("tp_btf/kfree_skb")
int BPF_PROG(nilo_kfree_skb, struct sk_buff *skb, void *location, int reason)
{
	struct nilo_drop_key key = { .reason = reason };
	struct nilo_drops none = {};
	struct nilo_drops *drops;
	struct net_device *dev = BPF_CORE_READ(skb, dev);
	__u32 zero = 0;

	/* A protocol may keep a number of its own in the place of dev: then these reads fault, and give 0. */
	key.ifindex = BPF_CORE_READ(dev, ifindex);
	key.netns_cookie = BPF_CORE_READ(dev, nd_net.net, net_cookie);
	if (!key.netns_cookie)
		key.netns_cookie = BPF_CORE_READ(skb, sk, __sk_common.skc_net.net, net_cookie);
	drops = bpf_map_lookup_elem(&nilo_drops, &key);
	if (!drops) {
		/* Another CPU may be first: look again rather than ask who won. */
		bpf_map_update_elem(&nilo_drops, &key, &none, BPF_NOEXIST);
		drops = bpf_map_lookup_elem(&nilo_drops, &key);
	}
	if (!drops)
		drops = bpf_map_lookup_elem(&nilo_drops_over, &zero);
	if (!drops)
		return 0;
	__sync_fetch_and_add(&drops->skbs, 1);
	__sync_fetch_and_add(&drops->bytes, BPF_CORE_READ(skb, len));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
