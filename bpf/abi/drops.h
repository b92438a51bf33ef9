/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets that the kernel threw away, by where and why. Informational: nothing of the ledger depends on it, and it is not pinned.
 */
#ifndef NILO_ABI_DROPS_H
#define NILO_ABI_DROPS_H
#include <linux/types.h>

/* Combinations of the key below that are told apart; further ones go to the overflow counter. */
#define NILO_DROPS 4096

struct nilo_drop_key {
	__u64 netns_cookie; /* 0: not known */
	__u32 ifindex;      /* the device that the skb was at; 0: not known (a drop in a socket) */
	__u32 reason;       /* enum skb_drop_reason; its numbers differ from kernel to kernel */
};

struct nilo_drops {
	__u64 skbs;
	__u64 bytes; /* skb->len when it was dropped: without the headers that had been taken off by then */
};

_Static_assert(sizeof(struct nilo_drop_key) == 16, "nilo_drop_key");
_Static_assert(sizeof(struct nilo_drops) == 16, "nilo_drops");
#endif
