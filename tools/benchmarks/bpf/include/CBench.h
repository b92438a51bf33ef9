/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
const void *bench_object(void);
size_t bench_object_size(void);
