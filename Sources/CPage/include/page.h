/* SPDX-License-Identifier: Apache-2.0 */
/* The files of the page to look at, built into the program. */
#pragma once
#include <stddef.h>

struct page_file {
    const char *name;
    /* Of HTTP: Content-Type. */
    const char *type;
    const unsigned char *bytes;
    size_t size;
};

/* NULL behind the last one. */
const struct page_file *page_file_at(size_t index);
