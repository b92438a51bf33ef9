/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Estimates of the packets that are in no slot. Where every flow has a slot this stage does nothing: what the records tell is exact.
 *
 * - How many sources, destinations and ports: HyperLogLog (Flajolet, Fusy, Gandouet, Meunier 2007), its large ranges by a 64-bit hash
 *   (Heule, Nunkesser, Hall 2013).
 * - Openings by host: a row of count-min (Cormode, Muthukrishnan 2005).
 * - Peers and ports by host, and whose they are: registers in the same cells, and the host of the rarest pair, as in SpreadSketch (Tang,
 *   Huang, Lee 2020).
 */
#ifndef NILO_SKETCH_STAGE_H
#define NILO_SKETCH_STAGE_H
#include "abi/sketch.h"
#include "lib/handshake.h"
#include "lib/maps.h"
#include "lib/order.h"
#include <bpf/bpf_endian.h>

#define NILO_SKETCH_ETHERTYPE_IPV4 0x0800
#define NILO_SKETCH_ETHERTYPE_IPV6 0x86dd

/* Masks an index so that the verifier sees it. */
#define NILO_SKETCH_MASKED(value, mask)                            \
	({                                                         \
		__u64 masked = (value);                            \
		asm("%0 &= %1" : "+r"(masked) : "i"((__u32)mask)); \
		masked;                                            \
	})

/*
 * Trailing zeros of a word that is not zero, without a branch: the ones below its lowest one, counted in parallel. The barrier keeps the
 * compiler from seeing what this is: it would put a table for it beside the configuration.
 */
static __always_inline __u32 nilo_trailing_zeros(__u64 word)
{
	__u64 below = (word & -word) - 1;

	asm volatile("" : "+r"(below));
	below -= below >> 1 & 0x5555555555555555ULL;
	below = (below & 0x3333333333333333ULL) + (below >> 2 & 0x3333333333333333ULL);
	below = (below + (below >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return below * 0x0101010101010101ULL >> 56;
}

/*
 * The rank of a value is one more than the trailing zeros of its hash. It is found only when it is above the register's, which soon is rare: when
 * the hash has no one among its `held` lowest bits. `doubled` is the hash shifted by one; a shift that the compiler would bound, and need not.
 */
static __always_inline int nilo_sketch_is_above(__u8 held, __u64 doubled)
{
	__u64 shift = held ^ 63;

	asm("%0 <<= %1" : "+r"(doubled) : "r"(shift));
	return unlikely(!doubled);
}

static __always_inline __u8 nilo_sketch_rank(__u64 doubled)
{
	return nilo_trailing_zeros(doubled | 1ULL << 54);
}

static __always_inline void nilo_sketch_raise(__u8 *held, __u64 doubled)
{
	if (nilo_sketch_is_above(*held, doubled))
		*held = nilo_sketch_rank(doubled);
}

static __always_inline void nilo_sketch_register(__u8 *registers, __u64 hash)
{
	nilo_sketch_raise(registers + NILO_SKETCH_MASKED(hash, NILO_SKETCH_REGISTERS - 1), hash >> 10 & ~1ULL);
}

/* Adds to the openings of one of the packet's hosts, and gives the cell its address when the pair is rarer than those before. */
static __always_inline struct nilo_sketch_cell *nilo_sketch_host(struct nilo_sketch *sketch, __u32 side,
								 const __u64 *host, __u64 hash, __u64 pair,
								 __u32 openings, const struct nilo_flow_key *key,
								 __u16 ethertype)
{
	struct nilo_sketch_cell *cell = &sketch->cells[side][NILO_SKETCH_MASKED(hash >> 8, NILO_SKETCH_WIDTH - 1)];

	cell->openings += openings;
	if (nilo_sketch_is_above(cell->rank, pair)) {
		cell->rank = nilo_sketch_rank(pair);
		((__u64 *)cell->address)[0] = host[0];
		((__u64 *)cell->address)[1] = host[1];
		cell->if_id = key->if_id;
		cell->direction = key->direction;
		cell->ethertype = ethertype;
	}
	return cell;
}

static __always_inline void nilo_sketch_distinct(__u8 *registers, __u64 hash)
{
	nilo_sketch_raise(registers + NILO_SKETCH_MASKED(hash, NILO_SKETCH_CELL_REGISTERS - 1), hash >> 3 & ~1ULL);
}

/* What a sketch is told of a packet beside its key: TCP's flags, and bit 16 when it is TCP at all. */
static __always_inline __u32 nilo_sketch_shown(const struct nilo_facts *p)
{
	return nilo_config.features & NILO_FEATURE_SKETCHES && p->is_tcp ? p->tcp_flags | 1u << 16 : 0;
}

/* Adds a packet that is in no slot. IP only. */
static __always_inline void nilo_sketch(const struct nilo_flow_key *key, __u32 cpu, __u32 tcp)
{
	struct nilo_sketch_banks *banks = bpf_map_lookup_elem(&nilo_sketches, &cpu);
	__u64 seed = nilo_config.hash_seed, source, destination, port, pair;
	struct nilo_sketch_cell *from, *to;
	struct nilo_sketch *sketch;
	const __u64 *tuple;
	__u32 ports, is_syn;
	__u16 ethertype;

	if (!banks || !key)
		return;
	sketch = &banks->banks[NILO_SKETCH_MASKED(*(volatile __u64 *)&banks->in_use, NILO_SKETCH_BANKS - 1)];
	sketch->packets++;
	tuple = (const __u64 *)key;
	if (unlikely(key->encap))
		tuple += NILO_KEY_OUTER_WORDS;
	ethertype = tuple[4] >> 48;
	if (ethertype != NILO_SKETCH_ETHERTYPE_IPV4 && ethertype != NILO_SKETCH_ETHERTYPE_IPV6)
		return;
	is_syn = (tcp & (NILO_TCP_SYN | NILO_TCP_ACK)) == NILO_TCP_SYN;
	ports = tuple[4];
	source = nilo_sketch_hash(tuple[0], tuple[1], seed);
	destination = nilo_sketch_hash(tuple[2], tuple[3], seed);
	port = nilo_sketch_hash(ports >> 16, 0, seed);
	pair = (source ^ destination ^ port) << 1;
	from = nilo_sketch_host(sketch, NILO_SKETCH_SOURCE, tuple, source, pair, is_syn, key, ethertype);
	to = nilo_sketch_host(sketch, NILO_SKETCH_DESTINATION, tuple + 2, destination, pair, is_syn, key, ethertype);
	/* A datagram to the higher port is an answer, as a rule. */
	if (tcp ? !is_syn : (tuple[4] >> 40 & 0xff) != NILO_FORM_PORTS || bpf_ntohs(ports >> 16) > bpf_ntohs(ports))
		return;
	nilo_sketch_register(sketch->sources, source);
	nilo_sketch_register(sketch->destinations, destination);
	nilo_sketch_register(sketch->ports, port);
	nilo_sketch_distinct(from->peers, destination);
	nilo_sketch_distinct(from->ports, port);
	nilo_sketch_distinct(to->peers, source);
	nilo_sketch_distinct(to->ports, port);
}

#endif
