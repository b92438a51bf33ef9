/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Walks the filter program (abi/policy.h) for one packet. The result is remembered with the packet's slot, so this runs once per flow and
 * policy; what it costs is paid by new flows alone.
 */
#ifndef NILO_FILTER_H
#define NILO_FILTER_H
#include "lib/maps.h"
#include "lib/order.h"

/* Where a walk is. On the stack: the kernel hands it to each step. */
struct nilo_walk {
	__u32 base; /* of the bank */
	__u32 at;
	struct nilo_verdict verdict;
};

static __always_inline int nilo_address_in_set(struct nilo_evaluation *e, const struct nilo_instruction *i, __u32 base)
{
	__u32 which = i->field & (NILO_ADDRESSES - 1);
	__u32 ethertype = e->field[which < NILO_ADDRESS_INNER_SOURCE ? NILO_FIELD_ETHERTYPE : NILO_FIELD_INNER];

	e->prefix.length = 32 + (ethertype == 0x0800 ? 32 : 128);
	e->prefix.bank = base != 0;
	e->prefix.family = ethertype == 0x0800 ? 4 : 6;
	e->prefix.set = bpf_htons(i->low);
	((__u64 *)e->prefix.address)[0] = e->address[which][0];
	((__u64 *)e->prefix.address)[1] = e->address[which][1];
	return bpf_map_lookup_elem(&nilo_prefixes, &e->prefix) != NULL;
}

static __always_inline int nilo_test(struct nilo_evaluation *e, const struct nilo_instruction *i, __u32 base)
{
	__u32 value = e->field[i->field & (NILO_FIELDS - 1)];
	const __u64 *address = e->address[i->field & (NILO_ADDRESSES - 1)];

	if (i->operation == NILO_OP_RANGE)
		return value >= i->low && value <= i->high;
	if (i->operation == NILO_OP_BITS)
		return (value & i->low) == i->high;
	if (i->operation == NILO_OP_PREFIX)
		return (address[0] & i->mask[0]) == i->bits[0] && (address[1] & i->mask[1]) == i->bits[1];
	return nilo_address_in_set(e, i, base);
}

/* One instruction. Returns 1 when the walk is over. */
static int nilo_walk_on(__u32 step, struct nilo_walk *walk)
{
	__u32 index = walk->base + (walk->at & (NILO_INSTRUCTIONS - 1));
	const struct nilo_instruction *i = bpf_map_lookup_elem(&nilo_program, &index);
	struct nilo_scratch *scratch = nilo_scratch();
	int holds = 1;

	if (!i || !scratch || i->operation == NILO_OP_END)
		return 1;
	if (i->operation == NILO_OP_MIRROR)
		walk->verdict.mirrors |= 1u << (i->low & (NILO_MIRRORS - 1));
	else if (i->operation == NILO_OP_SAMPLE)
		walk->verdict.sampler = walk->verdict.sampler ?: i->low;
	else if (i->operation == NILO_OP_SHAPE)
		walk->verdict.shaper = walk->verdict.shaper ?: i->low;
	else
		holds = nilo_test(&scratch->evaluation, i, walk->base);
	walk->at = holds ? i->on_true : i->on_false;
	return 0;
}

static __always_inline void nilo_fields_of(struct nilo_evaluation *e, __u32 first, const struct nilo_tuple *t)
{
	e->field[first + NILO_FIELD_ETHERTYPE] = t->ethertype;
	e->field[first + NILO_FIELD_PROTOCOL] = t->protocol;
	e->field[first + NILO_FIELD_SPORT] = bpf_ntohs(t->sport);
	e->field[first + NILO_FIELD_DPORT] = bpf_ntohs(t->dport);
	e->field[first + NILO_FIELD_FORM] = t->form;
}

/*
 * Leaves the verdict in the scratchpad.
 * - variant: the packet's own DSCP << 16 | TCP flags.
 */
__noinline int nilo_evaluate(const struct nilo_flow_key *key, __u32 bank, __u32 variant)
{
	struct nilo_scratch *scratch = nilo_scratch();
	struct nilo_walk walk = { .base = (bank & 1) * NILO_INSTRUCTIONS };
	struct nilo_evaluation *e;

	if (!scratch || !key)
		return 0;
	e = &scratch->evaluation;
	/* The key starts with the outer tuple. */
	nilo_fields_of(e, 0, (const struct nilo_tuple *)key);
	nilo_fields_of(e, NILO_FIELD_INNER, &key->inner);
	e->field[NILO_FIELD_VLAN] = key->vlan;
	e->field[NILO_FIELD_INNER_VLAN] = key->inner_vlan;
	e->field[NILO_FIELD_VNI] = key->vni;
	e->field[NILO_FIELD_ENCAP] = key->encap;
	e->field[NILO_FIELD_INTERFACE] = key->if_id;
	e->field[NILO_FIELD_DIRECTION] = key->direction;
	e->field[NILO_FIELD_DSCP] = variant >> 16;
	e->field[NILO_FIELD_TCP_FLAGS] = variant & 0xffff;
#pragma clang loop unroll(full)
	for (int n = 0; n < 4; n++)
		((__u64 *)e->address)[n] = ((const __u64 *)key)[n];
#pragma clang loop unroll(full)
	for (int n = 0; n < 4; n++)
		((__u64 *)e->address)[4 + n] = ((const __u64 *)&key->inner)[n];
	bpf_loop(NILO_INSTRUCTIONS, nilo_walk_on, &walk, 0);
	if (key->encap == NILO_ENCAP_VXLAN && key->vni >= NILO_MIRROR_VNI_FIRST) {
		walk.verdict.mirrors = 0;
		walk.verdict.sampler = 0;
	}
	scratch->evaluation.verdict = walk.verdict;
	return 0;
}

#endif
