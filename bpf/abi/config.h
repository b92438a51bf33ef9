/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is fixed when a program is loaded. The verifier sees these as constants and removes what is not configured.
 */
#ifndef NILO_ABI_CONFIG_H
#define NILO_ABI_CONFIG_H
#include <linux/types.h>

/* The version of every record in this folder. Pins live under a directory of this name; raise it when a layout changes. */
#define NILO_ABI_VERSION 2

enum nilo_feature {
	NILO_FEATURE_TCP = 1,      /* sequence and handshake analysis */
	NILO_FEATURE_VXLAN = 2,    /* look inside VXLAN */
	NILO_FEATURE_SKETCHES = 4, /* sketches of the packets that are in no slot */
};

struct nilo_config {
	__u32 cpus;           /* parts of the table: possible CPUs */
	__u32 sets_mask;      /* sets per CPU - 1, a power of two - 1 */
	__u32 log_mask;       /* spill records per CPU - 1 */
	__u32 log_wake;       /* wake user space when a CPU's log holds this many records */
	__u32 ledgers;        /* books per CPU */
	__u32 ghosts_mask;    /* remembered TCP sequence states - 1 */
	__u32 features;       /* enum nilo_feature */
	__u32 wake_jiffies;   /* least time between two wake-ups */
	__u16 vxlan_ports[2]; /* host order, 0: unused */
	__u32 sample_mask;    /* bytes of a CPU's ring of samples - 1 */
	__u64 hash_seed;
	__u64 jiffy_ns; /* length of a jiffy */
};

_Static_assert(sizeof(struct nilo_config) == 56, "nilo_config");

/* What the ring carries: the first word says which. */
enum nilo_event_type {
	NILO_EVENT_LOG_FILLING = 1,
	NILO_EVENT_SAMPLES_FILLING = 2,
};
struct nilo_event {
	__u32 type;
	__u32 cpu;
};
#endif
