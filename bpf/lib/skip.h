/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How many packets to go to the next random sample: a geometric variable, as one plus the whole part of an exponential one (inversion;
 * Devroye, "Non-Uniform Random Variate Generation", 1986, X.2). In whole numbers: programs have no floating point.
 */
#ifndef NILO_SKIP_H
#define NILO_SKIP_H
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define NILO_LN_2 744261118 /* 2^30 ln 2 */

/*
 * 2^26 * -ln(v / 2^32), v odd.
 *
 * With v = 2^(31 - n) (1 + t): (n + 1) ln 2 - ln(1 + t), and for the latter t times a polynomial, fitted by least squares so that the
 * logarithm is off by less than 3e-7 anywhere and by 5e-9 in the mean.
 */
static __always_inline __u64 nilo_exponential(__u32 v)
{
	__s64 t, q;
	__u64 n = 0;

#pragma clang loop unroll(full)
	for (int step = 16; step; step >>= 1) {
		if (!(v >> (32 - step))) {
			n += step;
			v <<= step;
		}
	}
	t = (v & 0x7fffffff) >> 1;
	q = 11259120;
	q = -58170115 + (q * t >> 30);
	q = 143184716 + (q * t >> 30);
	q = -241599353 + (q * t >> 30);
	q = 352119867 + (q * t >> 30);
	q = -536251682 + (q * t >> 30);
	q = 1073718756 + (q * t >> 30);
	return ((n + 1) * NILO_LN_2 - (q * t >> 30)) >> 4;
}

/* inverse, shift: of nilo_sampler. Both factors have 32 bits at most, the first one 31. */
static __always_inline __u64 nilo_skip(__u32 inverse, __u32 shift)
{
	if (!inverse)
		return 1;
	return 1 + (nilo_exponential(bpf_get_prandom_u32() | 1) * inverse >> ((26 + shift) & 63));
}

#endif
