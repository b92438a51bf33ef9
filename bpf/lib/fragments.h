/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Later fragments have no ports: they are counted in the flow of their datagram's first fragment, when that was seen here. */
#ifndef NILO_FRAGMENTS_H
#define NILO_FRAGMENTS_H
#include "lib/maps.h"
#include "lib/packet.h"

static __always_inline void nilo_fragment_key_of(struct nilo_fragment_key *key, const struct nilo_packet *p,
						 const struct nilo_tuple *t, __u32 id, __u8 protocol)
{
	__builtin_memcpy(key->saddr, t->saddr, 16);
	__builtin_memcpy(key->daddr, t->daddr, 16);
	key->id = id;
	key->if_id = p->if_id;
	key->vni = p->vni;
	key->protocol = protocol;
	key->direction = p->direction;
	key->vlan = p->vlan;
	key->inner_vlan = p->inner_vlan;
}

/* `protocol`: what follows the fragment header, in all fragments the same. */
__noinline int nilo_fragment_remember(struct nilo_packet *p, const struct nilo_tuple *t, __u32 id, __u8 protocol)
{
	struct nilo_scratch *scratch = nilo_scratch();

	if (!scratch || !p || !t)
		return 0;
	nilo_fragment_key_of(&scratch->fragment, p, t, id, protocol);
	scratch->ports.sport = t->sport;
	scratch->ports.dport = t->dport;
	scratch->ports.form = t->form;
	scratch->ports.protocol = t->protocol;
	if (bpf_map_update_elem(&nilo_fragments, &scratch->fragment, &scratch->ports, BPF_ANY))
		p->facts.remarks |= 1u << NILO_REMARK_TABLE_FULL;
	return 0;
}

__noinline int nilo_fragment_recall(struct nilo_packet *p, struct nilo_tuple *t, __u32 id)
{
	struct nilo_scratch *scratch = nilo_scratch();
	struct nilo_fragment_ports *ports;

	if (!scratch || !p || !t)
		return 0;
	nilo_fragment_key_of(&scratch->fragment, p, t, id, t->protocol);
	ports = bpf_map_lookup_elem(&nilo_fragments, &scratch->fragment);
	if (ports) {
		t->sport = ports->sport;
		t->dport = ports->dport;
		t->form = ports->form;
		t->protocol = ports->protocol;
	} else {
		t->form = NILO_FORM_FRAGMENT;
		p->facts.remarks |= 1u << NILO_REMARK_FRAGMENT_ORPHAN;
	}
	return 0;
}

#endif
