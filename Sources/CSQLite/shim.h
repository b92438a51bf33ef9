#pragma once
#include <sqlite3.h>
/* SQLITE_TRANSIENT is a cast, which Swift does not import: SQLite copies what is bound. */
static inline int sqlite3_bind_text_copy(sqlite3_stmt *s, int i, const char *text, int count) {
    return sqlite3_bind_text(s, i, text, count, SQLITE_TRANSIENT);
}
/* SQLITE_STATIC: what is bound has to outlive the step; saves a copy of every blob. */
static inline int sqlite3_bind_blob_in_place(sqlite3_stmt *s, int i, const void *bytes, int count) {
    return sqlite3_bind_blob(s, i, bytes, count, SQLITE_STATIC);
}
