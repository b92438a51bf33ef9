/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Interfaces have an identity of ours, because an ifindex repeats across namespaces and is reused.
 */
#ifndef NILO_ABI_INTERFACE_H
#define NILO_ABI_INTERFACE_H
#include <linux/types.h>

/*
 * What a program needs to know of the interface it runs on: entry (ifindex & (NILO_PORTS - 1)) of the program's
 * own port table. One program instance serves one namespace; two interfaces that meet in an entry get two instances.
 */
#define NILO_PORTS 1024
struct nilo_port {
	__u32 ifindex; /* 0: empty */
	__u32 if_id;
	__u32 ledger; /* index of its books */
	__u32 flags;  /* enum nilo_port_flags */
};
enum nilo_port_flags {
	NILO_PORT_LAYER3 = 1,        /* frames start at the network header (tun, and other devices without Ethernet) */
	NILO_PORT_RULES_INGRESS = 2, /* a rule of the policy may apply to packets of this direction */
	NILO_PORT_RULES_EGRESS = 4,  /* NILO_PORT_RULES_INGRESS << enum nilo_direction */
	NILO_PORT_FIRST = 8, /* the first packets of each flow are sampled, whatever the rules say (NILO_SAMPLER_FIRST) */
};

/* Ledger 0 takes what arrives on an interface that no program instance knows. */
#define NILO_LEDGER_UNKNOWN 0

enum nilo_attachment {
	NILO_ATTACH_TCX = 1,
	NILO_ATTACH_CLSACT = 2,
};

/* The registry, one record per if_id: user space's memory of what it attached, kept where a crash cannot reach it. */
struct nilo_interface {
	__u64 netns_cookie;
	__u64 attached_unix_ns;
	__u64 closed_unix_ns; /* 0: alive */
	__u32 ifindex;
	__u32 ledger;
	__u32 attachment;     /* enum nilo_attachment */
	__u32 clsact_created; /* the clsact qdisc is ours to remove */
	__u32 filter_priority;
	__u32 group; /* which program instance */
	char name[16];
	/* The device's own counters when the programs were attached, ingress then egress: packets, bytes. */
	__u64 base_packets[2];
	__u64 base_bytes[2];
	/* How many packets and bytes the device counted while the programs were being attached: the bound on the error of base. */
	__u64 base_unsure_packets[2];
	__u64 base_unsure_bytes[2];
	/* Drops after the hook on egress when the programs were attached: by the driver, by the root qdisc. */
	__u64 base_driver_drops;
	__u64 base_queue_drops;
	__u32 rules; /* NILO_PORT_RULES_*, for the next agent's program instance */
	__u32 reserved[3];
};

_Static_assert(sizeof(struct nilo_port) == 16, "nilo_port");
_Static_assert(sizeof(struct nilo_interface) == 160, "nilo_interface");
#endif
