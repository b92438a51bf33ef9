/* SPDX-License-Identifier: Apache-2.0 */
/* Ordered access to memory that the datapath writes at the same time (what Swift has no words for). */
#ifndef NILO_ABI_MAPPED_H
#define NILO_ABI_MAPPED_H
#include "flow_slot.h"
#include "sample.h"
#include <stdint.h>
#include <string.h>

static inline uint64_t nilo_load_acquire(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}
static inline void nilo_store_release(uint64_t *p, uint64_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}
static inline void nilo_store_seen(uint32_t *p, uint32_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/*
 * Gives a CPU's programs another sampling rule, of which no packet meets half: `settings` from `one_in` to `window`. A writer that was killed
 * amid this leaves an odd version, which the next one ends. What the programs read as it is (`most`, `window`) may come a packet early.
 */
static inline void nilo_sampler_write(struct nilo_sampler *sampler, const struct nilo_sampler *settings)
{
	uint32_t writing = sampler->version | 1;

	__atomic_store_n(&sampler->version, writing, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	sampler->one_in = settings->one_in;
	sampler->inverse = settings->inverse;
	sampler->shift = settings->shift;
	sampler->first_packets = settings->first_packets;
	sampler->always = settings->always;
	sampler->snap = settings->snap;
	sampler->epoch = settings->epoch;
	sampler->most = settings->most;
	sampler->window = settings->window;
	__atomic_store_n(&sampler->version, writing + 1, __ATOMIC_RELEASE);
}

/*
 * Copies a slot as it stood at one moment. Returns its sequence number, or 1 (never a resting state, which is even)
 * when the owning CPU kept writing through all tries: the slot is busy and will be met again.
 */
static inline uint32_t nilo_slot_read(const uint32_t *seq, const struct nilo_flow_slot *slot, struct nilo_flow_slot *copy)
{
	for (int tries = 0; tries < 64; tries++) {
		uint32_t before = __atomic_load_n(seq, __ATOMIC_ACQUIRE);
		if (before & 1)
			continue;
		memcpy(copy, slot, sizeof *copy);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(seq, __ATOMIC_RELAXED) == before)
			return before;
	}
	return 1;
}
#endif
