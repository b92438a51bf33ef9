/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which rules apply to a packet, and the stages that carry them out: sample, mirror, shape, in this order, so that a copy shows the packet
 * as it came. Only packets of ports with rules come here.
 */
#ifndef NILO_POLICY_H
#define NILO_POLICY_H
#include "lib/account.h"
#include "lib/filter.h"
#include "lib/mirror.h"
#include "lib/sample.h"
#include "lib/shape.h"

/*
 * The rules for a packet.
 * - place: of nilo_account.
 * - shown: the packet's own DSCP << 16 | TCP flags.
 */
static __always_inline struct nilo_verdict nilo_judge(const struct nilo_flow_key *key, __u32 place, __u32 shown)
{
	__u32 zero = 0, index = place & NILO_PLACE_SLOT, generation, uses, variant = 0;
	struct nilo_remembered *remembered;
	struct nilo_verdict none = {};
	struct nilo_scratch *scratch;
	struct nilo_policy *policy;

	policy = bpf_map_lookup_elem(&nilo_policies, &zero);
	if (!policy)
		return none;
	generation = *(volatile __u32 *)&policy->generation;
	uses = policy->uses[generation & 1];
	if (uses & NILO_USES_DSCP)
		variant |= shown & 0xffff0000;
	if (uses & NILO_USES_TCP_FLAGS)
		variant |= shown & 0xffff;
	remembered = place & NILO_PLACE_NONE ? NULL : bpf_map_lookup_elem(&nilo_verdicts, &index);
	if (likely(remembered && !(place & NILO_PLACE_FRESH) && remembered->generation == generation &&
		   remembered->variant == variant))
		return remembered->verdict;
	nilo_evaluate(key, generation & 1, shown);
	scratch = nilo_scratch();
	if (!scratch)
		return none;
	if (remembered) {
		remembered->generation = generation;
		remembered->variant = variant;
		remembered->verdict = scratch->evaluation.verdict;
	}
	return scratch->evaluation.verdict;
}

/* Carries out what was kept of a packet. TC_ACT_SHOT: a rule polices it away. */
static __always_inline int nilo_carry_out(struct __sk_buff *skb, struct nilo_scratch *scratch, struct nilo_matched *m)
{
	if (m->due)
		nilo_sample(skb, m, &m->key, m->due);
	if (m->verdict.mirrors && !scratch->depth) {
		/* A copy on its way out enters this program again, here and now. */
		scratch->depth = 1;
		nilo_mirror(skb, &m->key);
		scratch->depth = 0;
	}
	return m->verdict.shaper ? nilo_shape(skb, m, &m->key) : TC_ACT_UNSPEC;
}

/* Keeps what the stages look at in memory, apart from that of a packet that is under way already. */
static __always_inline struct nilo_matched *nilo_keep(struct nilo_scratch *scratch, const struct nilo_flow_key *key,
						      const struct nilo_facts *f, const struct nilo_wire *wire,
						      __u32 place, __u32 direction)
{
	struct nilo_matched *m = scratch->depth ? &scratch->nested : &scratch->matched;

	m->key = *key;
	m->facts = *f;
	m->wire = *wire;
	m->place = place;
	m->direction = direction;
	return m;
}

/* Samples a packet for NILO_SAMPLER_FIRST. Copies that mirror sessions make are no flows of the host. */
static __always_inline void nilo_take_first(struct __sk_buff *skb, const struct nilo_flow_key *key,
					    const struct nilo_facts *f, const struct nilo_wire *wire, __u32 place,
					    __u32 direction)
{
	struct nilo_scratch *scratch;
	struct nilo_matched *m;

	if (skb->tc_index == NILO_MIRROR_TAG || !nilo_first_due(place, key->ethertype))
		return;
	scratch = nilo_scratch();
	if (!scratch)
		return;
	m = nilo_keep(scratch, key, f, wire, place, direction);
	m->verdict.mirrors = 0;
	m->verdict.shaper = 0;
	m->verdict.sampler = NILO_SAMPLER_FIRST;
	m->due = NILO_SAMPLE_FIRST;
	nilo_sample(skb, m, &m->key, NILO_SAMPLE_FIRST);
}

/*
 * Returns the action of the tc program: TC_ACT_UNSPEC, or TC_ACT_SHOT for a packet that a rule polices away.
 *
 * Where nothing is to be done, which is where most packets end, nothing is kept of the packet.
 */
static __always_inline int nilo_apply(struct __sk_buff *skb, const struct nilo_flow_key *key, const struct nilo_facts *f,
				      const struct nilo_wire *wire, __u32 place, __u32 direction)
{
	struct nilo_verdict verdict = nilo_judge(key, place, (__u32)(f->tos >> 2) << 16 | f->tcp_flags);
	struct nilo_scratch *scratch;
	struct nilo_matched *m;
	__u32 due = 0;

	if (likely(!(verdict.mirrors | verdict.sampler | verdict.shaper)))
		return TC_ACT_UNSPEC;
	if (skb->tc_index == NILO_MIRROR_TAG)
		verdict.mirrors = verdict.sampler = 0;
	if (verdict.sampler)
		due = nilo_sample_due(verdict.sampler, place, f, wire);
	if (likely(!(verdict.mirrors | due | verdict.shaper)))
		return TC_ACT_UNSPEC;
	scratch = nilo_scratch();
	if (!scratch)
		return TC_ACT_UNSPEC;
	m = nilo_keep(scratch, key, f, wire, place, direction);
	m->verdict = verdict;
	m->due = due;
	return nilo_carry_out(skb, scratch, m);
}

#endif
