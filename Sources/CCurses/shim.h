/* SPDX-License-Identifier: Apache-2.0 */
/* curses as functions: most of it is macros and global variables, which Swift does not see or does not trust across threads. */
#pragma once
#define NCURSES_WIDECHAR 1
#define _XOPEN_SOURCE_EXTENDED 1
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum nilo_style {
    NILO_STYLE_BOLD = 1,
    NILO_STYLE_DIM = 2,
    NILO_STYLE_REVERSE = 4,
};

/* What a key is, in nilo_curses_key(). */
enum nilo_key {
    NILO_KEY_NONE,
    NILO_KEY_CHARACTER,
    /* A KEY_… constant. */
    NILO_KEY_FUNCTION,
};

/* Takes over the terminal; -1 when its type is not known. Keys come one by one and are never waited for. */
static inline int nilo_curses_open(void) {
    set_escdelay(25);
    if (!newterm(NULL, stdout, stdin)) return -1;
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    curs_set(0);
    return 0;
}

/* Gives the terminal back as it is, whatever state curses is in. */
static inline void nilo_curses_close(void) {
    if (stdscr && !isendwin()) endwin();
}

/* The same with the screen cleared before: a terminal without a second screen, or one that has been resized since the last picture, would
 * keep parts of it. */
static inline void nilo_curses_leave(void) {
    if (!stdscr || isendwin()) return;
    clear();
    refresh();
    endwin();
}

/* Makes colours 1 … 7 usable as pairs of the same number on the terminal's own background; 0 when there are none. */
static inline int nilo_curses_colors(void) {
    if (!has_colors() || start_color() != OK) return 0;
    int background = use_default_colors() == OK ? -1 : COLOR_BLACK;
    for (short color = 1; color <= 7; color++) init_pair(color, color, (short)background);
    return 1;
}

/* Whether text of this locale is UTF-8. */
static inline int nilo_curses_utf8(void) { return strcmp(nl_langinfo(CODESET), "UTF-8") == 0; }

static inline int nilo_curses_rows(void) { return getmaxy(stdscr); }

static inline int nilo_curses_columns(void) { return getmaxx(stdscr); }

static inline void nilo_curses_erase(void) { erase(); }

static inline void nilo_curses_refresh(void) { refresh(); }

/* Draws everything anew at the next refresh, whatever was on the screen. */
static inline void nilo_curses_redraw(void) { clearok(stdscr, TRUE); }

static inline void nilo_curses_move(int row, int column) { move(row, column); }

/* Text in the encoding of the locale, where the cursor stands. What does not fit is cut off. */
static inline void nilo_curses_text(const char *text, unsigned int style, short color) {
    attr_t attributes = A_NORMAL;
    if (style & NILO_STYLE_BOLD) attributes |= A_BOLD;
    if (style & NILO_STYLE_DIM) attributes |= A_DIM;
    if (style & NILO_STYLE_REVERSE) attributes |= A_REVERSE;
    attr_set(attributes, color, NULL);
    addstr(text);
    attr_set(A_NORMAL, 0, NULL);
}

static inline enum nilo_key nilo_curses_key(uint32_t *key) {
    wint_t code = 0;
    int kind = get_wch(&code);
    *key = (uint32_t)code;
    if (kind == KEY_CODE_YES) return NILO_KEY_FUNCTION;
    return kind == OK ? NILO_KEY_CHARACTER : NILO_KEY_NONE;
}
