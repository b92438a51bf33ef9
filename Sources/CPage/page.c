/* SPDX-License-Identifier: Apache-2.0 */
/* The page's files, as they are, in the program (C23's #embed, which clang has as an extension). A file that is added here is served. */
#include "page.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char api_js[] = {
#embed "../Page/api.js"
};
static const unsigned char app_js[] = {
#embed "../Page/app.js"
};
static const unsigned char camera_js[] = {
#embed "../Page/camera.js"
};
static const unsigned char chart_js[] = {
#embed "../Page/chart.js"
};
static const unsigned char curves_js[] = {
#embed "../Page/curves.js"
};
static const unsigned char divide_js[] = {
#embed "../Page/divide.js"
};
static const unsigned char dom_js[] = {
#embed "../Page/dom.js"
};
static const unsigned char events_js[] = {
#embed "../Page/events.js"
};
static const unsigned char fan_js[] = {
#embed "../Page/fan.js"
};
static const unsigned char filter_js[] = {
#embed "../Page/filter.js"
};
static const unsigned char find_js[] = {
#embed "../Page/find.js"
};
static const unsigned char flows_js[] = {
#embed "../Page/flows.js"
};
static const unsigned char force_worker_js[] = {
#embed "../Page/force-worker.js"
};
static const unsigned char forecast_js[] = {
#embed "../Page/forecast.js"
};
static const unsigned char foresight_css[] = {
#embed "../Page/foresight.css"
};
static const unsigned char format_js[] = {
#embed "../Page/format.js"
};
static const unsigned char free_js[] = {
#embed "../Page/free.js"
};
static const unsigned char gauge_js[] = {
#embed "../Page/gauge.js"
};
static const unsigned char glyphs_js[] = {
#embed "../Page/glyphs.js"
};
static const unsigned char index_html[] = {
#embed "../Page/index.html"
};
static const unsigned char incidents_js[] = {
#embed "../Page/incidents.js"
};
static const unsigned char keyboard_js[] = {
#embed "../Page/keyboard.js"
};
static const unsigned char labels_js[] = {
#embed "../Page/labels.js"
};
static const unsigned char layers_js[] = {
#embed "../Page/layers.js"
};
static const unsigned char level_js[] = {
#embed "../Page/level.js"
};
static const unsigned char map_css[] = {
#embed "../Page/map.css"
};
static const unsigned char map_js[] = {
#embed "../Page/map.js"
};
static const unsigned char mark_svg[] = {
#embed "../Page/mark.svg"
};
static const unsigned char model_js[] = {
#embed "../Page/model.js"
};
static const unsigned char outlook_js[] = {
#embed "../Page/outlook.js"
};
static const unsigned char painter_js[] = {
#embed "../Page/painter.js"
};
static const unsigned char panel_js[] = {
#embed "../Page/panel.js"
};
static const unsigned char profile_js[] = {
#embed "../Page/profile.js"
};
static const unsigned char rows_js[] = {
#embed "../Page/rows.js"
};
static const unsigned char scene_js[] = {
#embed "../Page/scene.js"
};
static const unsigned char sections_js[] = {
#embed "../Page/sections.js"
};
static const unsigned char series_js[] = {
#embed "../Page/series.js"
};
static const unsigned char status_js[] = {
#embed "../Page/status.js"
};
static const unsigned char style_css[] = {
#embed "../Page/style.css"
};
static const unsigned char tables_css[] = {
#embed "../Page/tables.css"
};
static const unsigned char theme_first_js[] = {
#embed "../Page/theme-first.js"
};
static const unsigned char theme_js[] = {
#embed "../Page/theme.js"
};
static const unsigned char thing_js[] = {
#embed "../Page/thing.js"
};
static const unsigned char timeline_js[] = {
#embed "../Page/timeline.js"
};
static const unsigned char token_js[] = {
#embed "../Page/token.js"
};
static const unsigned char words_js[] = {
#embed "../Page/words.js"
};

static const struct page_file files[] = {
    { "api.js", "text/javascript; charset=utf-8", api_js, sizeof(api_js) },
    { "app.js", "text/javascript; charset=utf-8", app_js, sizeof(app_js) },
    { "camera.js", "text/javascript; charset=utf-8", camera_js, sizeof(camera_js) },
    { "chart.js", "text/javascript; charset=utf-8", chart_js, sizeof(chart_js) },
    { "curves.js", "text/javascript; charset=utf-8", curves_js, sizeof(curves_js) },
    { "divide.js", "text/javascript; charset=utf-8", divide_js, sizeof(divide_js) },
    { "dom.js", "text/javascript; charset=utf-8", dom_js, sizeof(dom_js) },
    { "events.js", "text/javascript; charset=utf-8", events_js, sizeof(events_js) },
    { "fan.js", "text/javascript; charset=utf-8", fan_js, sizeof(fan_js) },
    { "filter.js", "text/javascript; charset=utf-8", filter_js, sizeof(filter_js) },
    { "find.js", "text/javascript; charset=utf-8", find_js, sizeof(find_js) },
    { "flows.js", "text/javascript; charset=utf-8", flows_js, sizeof(flows_js) },
    { "force-worker.js", "text/javascript; charset=utf-8", force_worker_js, sizeof(force_worker_js) },
    { "forecast.js", "text/javascript; charset=utf-8", forecast_js, sizeof(forecast_js) },
    { "foresight.css", "text/css; charset=utf-8", foresight_css, sizeof(foresight_css) },
    { "format.js", "text/javascript; charset=utf-8", format_js, sizeof(format_js) },
    { "free.js", "text/javascript; charset=utf-8", free_js, sizeof(free_js) },
    { "gauge.js", "text/javascript; charset=utf-8", gauge_js, sizeof(gauge_js) },
    { "glyphs.js", "text/javascript; charset=utf-8", glyphs_js, sizeof(glyphs_js) },
    { "index.html", "text/html; charset=utf-8", index_html, sizeof(index_html) },
    { "incidents.js", "text/javascript; charset=utf-8", incidents_js, sizeof(incidents_js) },
    { "keyboard.js", "text/javascript; charset=utf-8", keyboard_js, sizeof(keyboard_js) },
    { "labels.js", "text/javascript; charset=utf-8", labels_js, sizeof(labels_js) },
    { "layers.js", "text/javascript; charset=utf-8", layers_js, sizeof(layers_js) },
    { "level.js", "text/javascript; charset=utf-8", level_js, sizeof(level_js) },
    { "map.css", "text/css; charset=utf-8", map_css, sizeof(map_css) },
    { "map.js", "text/javascript; charset=utf-8", map_js, sizeof(map_js) },
    { "mark.svg", "image/svg+xml", mark_svg, sizeof(mark_svg) },
    { "model.js", "text/javascript; charset=utf-8", model_js, sizeof(model_js) },
    { "outlook.js", "text/javascript; charset=utf-8", outlook_js, sizeof(outlook_js) },
    { "painter.js", "text/javascript; charset=utf-8", painter_js, sizeof(painter_js) },
    { "panel.js", "text/javascript; charset=utf-8", panel_js, sizeof(panel_js) },
    { "profile.js", "text/javascript; charset=utf-8", profile_js, sizeof(profile_js) },
    { "rows.js", "text/javascript; charset=utf-8", rows_js, sizeof(rows_js) },
    { "scene.js", "text/javascript; charset=utf-8", scene_js, sizeof(scene_js) },
    { "sections.js", "text/javascript; charset=utf-8", sections_js, sizeof(sections_js) },
    { "series.js", "text/javascript; charset=utf-8", series_js, sizeof(series_js) },
    { "status.js", "text/javascript; charset=utf-8", status_js, sizeof(status_js) },
    { "style.css", "text/css; charset=utf-8", style_css, sizeof(style_css) },
    { "tables.css", "text/css; charset=utf-8", tables_css, sizeof(tables_css) },
    { "theme-first.js", "text/javascript; charset=utf-8", theme_first_js, sizeof(theme_first_js) },
    { "theme.js", "text/javascript; charset=utf-8", theme_js, sizeof(theme_js) },
    { "thing.js", "text/javascript; charset=utf-8", thing_js, sizeof(thing_js) },
    { "timeline.js", "text/javascript; charset=utf-8", timeline_js, sizeof(timeline_js) },
    { "token.js", "text/javascript; charset=utf-8", token_js, sizeof(token_js) },
    { "words.js", "text/javascript; charset=utf-8", words_js, sizeof(words_js) },
};

const struct page_file *page_file_at(size_t index) { return index < sizeof(files) / sizeof(files[0]) ? &files[index] : NULL; }
