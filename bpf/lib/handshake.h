/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Round-trip time from the TCP handshake: SYN to SYN-ACK is the way to the server and back, SYN-ACK to ACK the way to the client and
 * back; together the whole path. Only handshake packets pay for the precise clock. A SYN or SYN-ACK that was sent twice gives no time
 * (Karn's rule: one cannot tell which of them was answered).
 */
#ifndef NILO_HANDSHAKE_H
#define NILO_HANDSHAKE_H
#include "lib/maps.h"
#include "lib/packet.h"

#define NILO_TCP_FIN 1
#define NILO_TCP_SYN 2
#define NILO_TCP_RST 4
#define NILO_TCP_ACK 16

static __always_inline __u32 nilo_microseconds(__u64 from, __u64 to)
{
	__u64 us = (to - from) / 1000;

	if (us > 0xffffffffULL)
		return 0xffffffff;
	return us ? us : 1;
}

/* Returns a bit of enum nilo_remark, or 0. */
__noinline int nilo_handshake(struct nilo_flow_slot *slot, __u32 tcp_flags)
{
	const struct nilo_tuple *t;
	int from_server;
	struct nilo_scratch *scratch = nilo_scratch();
	struct nilo_handshake_key *key;
	struct nilo_handshake *known;
	__u64 now = bpf_ktime_get_ns();

	if (!scratch || !slot)
		return 0;
	key = &scratch->handshake;
	/* A key starts with a tuple. */
	t = slot->key.encap ? &slot->key.inner : (const struct nilo_tuple *)&slot->key;
	from_server = (tcp_flags & (NILO_TCP_SYN | NILO_TCP_ACK)) == (NILO_TCP_SYN | NILO_TCP_ACK);
	__builtin_memcpy(key->client, from_server ? t->daddr : t->saddr, 16);
	__builtin_memcpy(key->server, from_server ? t->saddr : t->daddr, 16);
	key->client_port = from_server ? t->dport : t->sport;
	key->server_port = from_server ? t->sport : t->dport;
	key->if_id = slot->key.if_id;
	key->vni = slot->key.vni;
	key->vlan = slot->key.vlan;
	key->inner_vlan = slot->key.inner_vlan;
	key->direction = from_server ? !slot->key.direction : slot->key.direction;
	known = bpf_map_lookup_elem(&nilo_syns, key);

	if (from_server) {
		if (!known)
			return 0;
		known->synack_ns = now;
		if (known->synacks++ || known->syns != 1)
			slot->notes |= NILO_NOTE_RTT_AMBIGUOUS;
		else
			slot->handshake_us = nilo_microseconds(known->syn_ns, now);
	} else if (tcp_flags & NILO_TCP_SYN) {
		if (known && !known->synack_ns) {
			known->syns++;
			return 0;
		}
		scratch->fresh.syn_ns = now;
		scratch->fresh.syns = 1;
		if (bpf_map_update_elem(&nilo_syns, key, &scratch->fresh, BPF_ANY))
			return 1 << NILO_REMARK_TABLE_FULL;
	} else if (known) {
		if (known->synacks == 1 && known->synack_ns)
			slot->handshake_us = nilo_microseconds(known->synack_ns, now);
		bpf_map_delete_elem(&nilo_syns, key);
	}
	return 0;
}

#endif
