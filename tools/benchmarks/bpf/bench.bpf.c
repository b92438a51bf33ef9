// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The datapath under a load of many flows, for BPF_PROG_TEST_RUN, which repeats one packet: each run turns the packet into the next
 * flow of a prepared order. The no-op does only that; the reference is a conventional accounting program
 * (parse the five-tuple, LRU per-CPU hash, precise clock).
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include "lib/pipeline.h"

#define BENCH_ORDER (1 << 20)

/* Flow numbers in the order in which they are to be met. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BENCH_ORDER);
	__type(key, __u32);
	__type(value, __u64);
} bench_order SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} bench_position SEC(".maps");

/* Makes the packet one of the next flow. */
static __always_inline int bench_next_flow(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 zero = 0, at;
	__u64 *position = bpf_map_lookup_elem(&bench_position, &zero), *flow;

	if (!position || data + 54 > end)
		return -1;
	at = (*position)++ & (BENCH_ORDER - 1);
	flow = bpf_map_lookup_elem(&bench_order, &at);
	if (!flow)
		return -1;
	*(__u32 *)(data + 26) = *flow; /* source address */
	return 0;
}

SEC("tc")
int bench_noop(struct __sk_buff *skb)
{
	bench_next_flow(skb);
	return TC_ACT_UNSPEC;
}

/* For a device's hooks: leaves the packet as it is. */
SEC("tc")
int bench_empty(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

SEC("tc")
int bench_nilo(struct __sk_buff *skb)
{
	bench_next_flow(skb);
	return nilo_packet_seen(skb, NILO_INGRESS);
}

struct bench_key {
	__u32 saddr, daddr;
	__u16 sport, dport;
	__u8 protocol, pad[3];
};
struct bench_value {
	__u64 packets, bytes, last_ns;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 262144);
	__type(key, struct bench_key);
	__type(value, struct bench_value);
} bench_flows SEC(".maps");

SEC("tc")
int bench_reference(struct __sk_buff *skb)
{
	void *data, *end;
	struct bench_key key = {};
	struct bench_value *value, fresh = {};
	struct ethhdr *eth;
	struct iphdr *ip;
	__u16 *ports;

	bench_next_flow(skb);
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	eth = data;
	ip = (void *)(eth + 1);
	if ((void *)(ip + 1) + 4 > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return TC_ACT_UNSPEC;
	ports = (void *)(ip + 1);
	key.saddr = ip->saddr;
	key.daddr = ip->daddr;
	key.protocol = ip->protocol;
	key.sport = ports[0];
	key.dport = ports[1];
	value = bpf_map_lookup_elem(&bench_flows, &key);
	if (value) {
		value->packets++;
		value->bytes += skb->len;
		value->last_ns = bpf_ktime_get_ns();
	} else {
		fresh.packets = 1;
		fresh.bytes = skb->len;
		fresh.last_ns = bpf_ktime_get_ns();
		bpf_map_update_elem(&bench_flows, &key, &fresh, BPF_ANY);
	}
	return TC_ACT_UNSPEC;
}

/* The same sample as lib/sample.h writes, through the kernel's own ring. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 22);
} bench_ring SEC(".maps");

SEC("tc")
int bench_ring_sample(struct __sk_buff *skb)
{
	struct bench_event {
		struct nilo_sample sample;
		__u8 header[64];
	} *event = bpf_ringbuf_reserve(&bench_ring, sizeof(*event), 0);

	if (!event)
		return TC_ACT_UNSPEC;
	__builtin_memset(&event->sample, 0, sizeof(event->sample));
	event->sample.bytes = sizeof(*event);
	event->sample.snap = sizeof(event->header);
	event->sample.hits = event->sample.one_in = event->sample.wire_packets = 1;
	event->sample.wire_bytes = event->sample.skb_bytes = skb->len;
	event->sample.time_ns = bpf_ktime_get_ns();
	if (bpf_skb_load_bytes(skb, 0, event->header, sizeof(event->header)))
		bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
	else
		bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
