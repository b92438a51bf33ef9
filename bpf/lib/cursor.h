/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading headers in order. `at` is where the next header starts; a step checks the bounds, hands out the header and moves on, or
 * returns NULL when the linear part ends before it does.
 */
#ifndef NILO_CURSOR_H
#define NILO_CURSOR_H
#include <linux/types.h>

struct nilo_cursor {
	void *start;
	void *at;
	void *end;
};

static __always_inline void *nilo_step(struct nilo_cursor *c, __u32 bytes)
{
	void *header = c->at;

	if (header + bytes > c->end)
		return NULL;
	c->at = header + bytes;
	return header;
}

#endif
