#pragma once
#include <errno.h>
#include <seccomp.h>
/* Function-like macro. */
static inline uint32_t seccomp_refuse(void) { return SCMP_ACT_ERRNO(EPERM); }
