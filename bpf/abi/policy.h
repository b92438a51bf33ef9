/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is to be done with which packets. The filters of all rules are one program of tests and jumps, in the manner of the BSD packet
 * filter (McCanne and Jacobson, 1993); it is data to the datapath, which walks it once per flow and policy and remembers the verdict.
 *
 * There are two banks of everything that a walk reads. User space fills the idle one, raises `generation` (whose lowest bit names the
 * bank in force), and waits until no program can be in the old one before it clears that.
 */
#ifndef NILO_ABI_POLICY_H
#define NILO_ABI_POLICY_H
#include <linux/types.h>

#define NILO_INSTRUCTIONS 4096 /* per bank */
#define NILO_PREFIXES 131072   /* in both banks */
#define NILO_MIRRORS 32        /* sessions */
/* Twice as many as can be in force: new ones stand beside those that they follow. */
#define NILO_SAMPLERS 128 /* sampling rules; 0 is none */
#define NILO_SHAPERS 2048 /* shaping rules; 0 is none */

/* VNIs from here to the end are those of mirrored traffic, on this host and on any other: such packets are never matched again. */
#define NILO_MIRROR_VNI_FIRST 0xff0000

/* What a copy carries in skb->tc_index, which survives a veth pair and its change of namespace. */
#define NILO_MIRROR_TAG 0x4e4d

enum nilo_operation {
	NILO_OP_END = 0,    /* the walk is over */
	NILO_OP_RANGE = 1,  /* low <= field <= high */
	NILO_OP_BITS = 2,   /* (field & low) == high */
	NILO_OP_PREFIX = 3, /* (address & mask) == bits */
	NILO_OP_SET = 4,    /* the address lies in prefix set `low` */
	NILO_OP_MIRROR = 5, /* rule `low` applies; the walk goes on at on_true */
	NILO_OP_SAMPLE = 6, /* rule `low` applies, unless an earlier one did */
	NILO_OP_SHAPE = 7,  /* likewise */
};

/* What RANGE and BITS look at. The inner ones are 0 where there is no tunnel. Ports and identifiers in host order. */
enum nilo_field {
	NILO_FIELD_ETHERTYPE = 0,
	NILO_FIELD_PROTOCOL = 1,
	NILO_FIELD_SPORT = 2,
	NILO_FIELD_DPORT = 3,
	NILO_FIELD_FORM = 4,  /* enum nilo_form */
	NILO_FIELD_INNER = 8, /* + one of the above: the frame inside VXLAN */
	NILO_FIELD_VLAN = 16, /* identifier | NILO_VLAN_PRESENT */
	NILO_FIELD_INNER_VLAN = 17,
	NILO_FIELD_VNI = 18,
	NILO_FIELD_ENCAP = 19,     /* enum nilo_encap */
	NILO_FIELD_INTERFACE = 20, /* if_id */
	NILO_FIELD_DIRECTION = 21,
	NILO_FIELD_DSCP = 22,      /* of this packet, outer header */
	NILO_FIELD_TCP_FLAGS = 23, /* of this packet, innermost header */
	NILO_FIELDS = 32,
};

/* What PREFIX and SET look at, in `field`. IPv4 addresses stand in the first four bytes; a test of the ethertype goes before. */
enum nilo_address {
	NILO_ADDRESS_SOURCE = 0,
	NILO_ADDRESS_DESTINATION = 1,
	NILO_ADDRESS_INNER_SOURCE = 2,
	NILO_ADDRESS_INNER_DESTINATION = 3,
	NILO_ADDRESSES = 4,
};

struct nilo_instruction {
	__u8 operation; /* enum nilo_operation */
	__u8 field;
	__u16 reserved;
	__u16 on_true; /* the instruction to go to; always a later one */
	__u16 on_false;
	union {
		struct {
			__u32 low;
			__u32 high;
		};
		struct {
			__u64 bits[2]; /* as the address lies in memory */
			__u64 mask[2];
		};
	};
};

/* Key of the prefix sets' trie: length counts the bank and set, then the address. */
struct nilo_prefix {
	__u32 length; /* 32 + the prefix's own */
	__u8 bank;
	__u8 family; /* 4 or 6 */
	__be16 set;
	__u8 address[16];
};

/* The rules that apply to a packet. */
struct nilo_verdict {
	__u32 mirrors; /* bit n: session n */
	__u16 sampler; /* 0: none */
	__u16 shaper;  /* 0: none */
};

/* A slot's verdict, valid for a generation and for packets that show the same `variant`. */
struct nilo_remembered {
	__u32 generation;
	__u32 variant; /* DSCP << 16 | TCP flags, as far as the policy asks for them */
	struct nilo_verdict verdict;
};

enum nilo_policy_uses {
	NILO_USES_DSCP = 1,      /* a filter asks for the packet's DSCP */
	NILO_USES_TCP_FLAGS = 2, /* a filter asks for the packet's TCP flags */
};

struct nilo_policy {
	__u32 generation; /* never 0 in force; bank: generation & 1 */
	__u32 uses[2];    /* per bank: enum nilo_policy_uses */
	__u32 reserved;
};

/* User space's own memory: which rule of the policy a kernel rule is, so that its counters go on when the agent starts anew. */
enum nilo_rule_kind {
	NILO_RULE_MIRROR = 1,
	NILO_RULE_SAMPLER = 2,
	NILO_RULE_SHAPER = 3,
};
struct nilo_rule_key {
	__u16 kind; /* enum nilo_rule_kind */
	__u16 index;
};
struct nilo_rule {
	__u64 part; /* mirror: the namespace's cookie; shaper: the if_id; sampler: 0 */
	__u64 since_unix_ns;
	char name[48];
};

_Static_assert(sizeof(struct nilo_rule_key) == 4 && sizeof(struct nilo_rule) == 64, "nilo_rule");
_Static_assert(sizeof(struct nilo_instruction) == 40, "nilo_instruction");
_Static_assert(sizeof(struct nilo_prefix) == 24, "nilo_prefix");
_Static_assert(sizeof(struct nilo_verdict) == 8, "nilo_verdict");
_Static_assert(sizeof(struct nilo_remembered) == 16, "nilo_remembered");
_Static_assert(sizeof(struct nilo_policy) == 16, "nilo_policy");
#endif
