/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The key's hash: independent multiplications, then one more that spreads the result, so that the words need not wait for each other.
 * Seeded per load, so that a sender cannot choose flows that meet in one set.
 */
#ifndef NILO_HASH_H
#define NILO_HASH_H
#include "lib/maps.h"
#include "lib/order.h"

static __always_inline __u64 nilo_fold(__u64 h)
{
	h ^= h >> 32;
	h *= 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 29;
}

static __always_inline __u64 nilo_hash(const struct nilo_flow_key *key)
{
	const __u64 *w = (const __u64 *)key;
	__u64 seed = nilo_config.hash_seed, h;

	h = (w[0] ^ seed) * 0xbf58476d1ce4e5b9ULL;
	h ^= (w[1] + seed) * 0x94d049bb133111ebULL;
	h += (w[2] ^ seed) * 0xd6e8feb86659fd93ULL;
	h ^= (w[3] + seed) * 0xa0761d6478bd642fULL;
	h += (w[4] ^ seed) * 0xe7037ed1a0b428dbULL;
	h ^= (w[5] + seed) * 0x8ebc6af09c88c6e3ULL;
	h += (w[6] ^ seed) * 0x589965cc75374cc3ULL;
	h = nilo_fold(h);
	if (key->encap) {
		h ^= (w[7] + seed) * 0x1d8e4e27c47d124fULL;
		h += (w[8] ^ seed) * 0xeb44accab455d165ULL;
		h ^= (w[9] + seed) * 0x9c6e6877736c46e3ULL;
		h += (w[10] ^ seed) * 0xb492b66fbe98f273ULL;
		h ^= (w[11] + seed) * 0x9ae16a3b2f90404fULL;
		h = nilo_fold(h);
	}
	return h;
}

static __always_inline int nilo_key_equal(const struct nilo_flow_key *a, const struct nilo_flow_key *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	if ((x[4] ^ y[4]) | (x[0] ^ y[0]) | (x[2] ^ y[2]) | (x[1] ^ y[1]) | (x[3] ^ y[3]) | (x[5] ^ y[5]) | (x[6] ^ y[6]))
		return 0;
	if (likely(!a->encap))
		return 1;
	return !((x[7] ^ y[7]) | (x[8] ^ y[8]) | (x[9] ^ y[9]) | (x[10] ^ y[10]) | (x[11] ^ y[11]));
}

#endif
