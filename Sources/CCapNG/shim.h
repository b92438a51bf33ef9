#pragma once
#include <cap-ng.h>
#include <linux/capability.h>
#include <sys/prctl.h>
/* prctl is variadic: Swift cannot see it. -1 and errno on failure. */
static inline int prctl_no_new_privs(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L); }
/* Another process of the same user may not look into this one (ptrace, /proc/PID/mem). */
static inline int prctl_not_dumpable(void) { return prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L); }
