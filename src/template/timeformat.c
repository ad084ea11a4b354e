/*
 * Times in the layouts of Go's time package, which are written as the reference time would be:
 * Mon Jan 2 15:04:05 MST 2006. Everything is UTC.
 */
#include "template/template_int.h"

#include "base/timetext.h"

#include <stdio.h>

const char *const month_names[12] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};
const char *const weekday_names[7] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                      "Thursday", "Friday", "Saturday"};

static int hour12(const struct civil *c)
{
    return c->hour % 12 == 0 ? 12 : c->hour % 12;
}

static void add_month(struct buf *out, const struct civil *c)
{
    buf_add_text(out, month_names[c->month - 1]);
}

static void add_short_month(struct buf *out, const struct civil *c)
{
    buf_add(out, month_names[c->month - 1], 3);
}

static void add_weekday(struct buf *out, const struct civil *c)
{
    buf_add_text(out, weekday_names[c->weekday]);
}

static void add_short_weekday(struct buf *out, const struct civil *c)
{
    buf_add(out, weekday_names[c->weekday], 3);
}

static void add_zone(struct buf *out, const struct civil *c)
{
    (void)c;
    buf_add_text(out, "UTC");
}

static void add_year(struct buf *out, const struct civil *c)
{
    buf_addf(out, "%04d", c->year);
}

static void add_short_year(struct buf *out, const struct civil *c)
{
    buf_addf(out, "%02d", c->year % 100);
}

static void add_month2(struct buf *out, const struct civil *c)
{
    buf_addf(out, "%02d", c->month);
}

static void add_month1(struct buf *out, const struct civil *c)
{
    buf_addf(out, "%d", c->month);
}

static void add_yearday(struct buf *out, const struct civil *c)
{
    buf_addf(out, "%03d", c->yearday + 1);
}

static void add_wide_yearday(struct buf *out, const struct civil *c)
{
    buf_addf(out, "%3d", c->yearday + 1);
}

static void add_day2(struct buf *out, const struct civil *c)
{
    buf_addf(out, "%02d", c->day);
}

static void add_wide_day(struct buf *out, const struct civil *c)
{
    buf_addf(out, "%2d", c->day);
}

static void add_day(struct buf *out, const struct civil *c)
{
    buf_addf(out, "%d", c->day);
}

static void add_hour(struct buf *out, const struct civil *c)
{
    buf_addf(out, "%02d", c->hour);
}

static void add_hour12_2(struct buf *out, const struct civil *c)
{
    buf_addf(out, "%02d", hour12(c));
}

static void add_hour12(struct buf *out, const struct civil *c)
{
    buf_addf(out, "%d", hour12(c));
}

static void add_minute2(struct buf *out, const struct civil *c)
{
    buf_addf(out, "%02d", c->minute);
}

static void add_minute(struct buf *out, const struct civil *c)
{
    buf_addf(out, "%d", c->minute);
}

static void add_second2(struct buf *out, const struct civil *c)
{
    buf_addf(out, "%02d", c->second);
}

static void add_second(struct buf *out, const struct civil *c)
{
    buf_addf(out, "%d", c->second);
}

static void add_upper_noon(struct buf *out, const struct civil *c)
{
    buf_add_text(out, c->hour >= 12 ? "PM" : "AM");
}

static void add_lower_noon(struct buf *out, const struct civil *c)
{
    buf_add_text(out, c->hour >= 12 ? "pm" : "am");
}

static void add_z(struct buf *out, const struct civil *c)
{
    (void)c;
    buf_add_byte(out, 'Z');
}

static void add_offset6(struct buf *out, const struct civil *c)
{
    (void)c;
    buf_add_text(out, "+00:00");
}

static void add_offset8(struct buf *out, const struct civil *c)
{
    (void)c;
    buf_add_text(out, "+00:00:00");
}

static void add_offset4(struct buf *out, const struct civil *c)
{
    (void)c;
    buf_add_text(out, "+0000");
}

static void add_offset4_2(struct buf *out, const struct civil *c)
{
    (void)c;
    buf_add_text(out, "+000000");
}

static void add_offset2(struct buf *out, const struct civil *c)
{
    (void)c;
    buf_add_text(out, "+00");
}

/* The first row that the layout goes on with counts, so longer forms stand before shorter ones. */
static const struct part {
    const char *layout;
    void (*add)(struct buf *, const struct civil *);
    bool ends_word; /* not when a small letter follows: "January" is not "Jan" */
} parts[] = {
    {"January", add_month, false},
    {"Jan", add_short_month, true},
    {"Monday", add_weekday, false},
    {"Mon", add_short_weekday, true},
    {"MST", add_zone, false},
    {"002", add_yearday, false},
    {"01", add_month2, false},
    {"02", add_day2, false},
    {"03", add_hour12_2, false},
    {"04", add_minute2, false},
    {"05", add_second2, false},
    {"06", add_short_year, false},
    {"15", add_hour, false},
    {"1", add_month1, false},
    {"2006", add_year, false},
    {"2", add_day, false},
    {"_2006", NULL, false}, /* the mark, then the year */
    {"__2", add_wide_yearday, false},
    {"_2", add_wide_day, false},
    {"3", add_hour12, false},
    {"4", add_minute, false},
    {"5", add_second, false},
    {"PM", add_upper_noon, false},
    {"pm", add_lower_noon, false},
    {"-07:00:00", add_offset8, false},
    {"-070000", add_offset4_2, false},
    {"-07:00", add_offset6, false},
    {"-0700", add_offset4, false},
    {"-07", add_offset2, false},
    {"Z07:00:00", add_z, false},
    {"Z070000", add_z, false},
    {"Z07:00", add_z, false},
    {"Z0700", add_z, false},
    {"Z07", add_z, false},
};

static const struct part *find_part(struct str layout)
{
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        size_t len = strlen(parts[i].layout);
        if (!str_starts(layout, str_of(parts[i].layout))) {
            continue;
        }
        char next = layout.len > len ? layout.ptr[len] : '\0';
        if (!parts[i].ends_word || !(next >= 'a' && next <= 'z')) {
            return &parts[i];
        }
    }
    return NULL;
}

/*
 * A point or comma and zeros or nines, no digit behind: the fraction of the second, with as many
 * digits; nines leave zeros at the end out. Returns how much of the layout it is, or 0.
 */
static size_t add_fraction(struct buf *out, struct str layout, const struct civil *c)
{
    char digit = layout.len > 1 ? layout.ptr[1] : '\0';
    char digits[16];
    size_t len = 1;

    if ((layout.ptr[0] != '.' && layout.ptr[0] != ',') || (digit != '0' && digit != '9')) {
        return 0;
    }
    while (len < layout.len && layout.ptr[len] == digit) {
        len++;
    }
    if (len > 10 || (len < layout.len && layout.ptr[len] >= '0' && layout.ptr[len] <= '9')) {
        return 0;
    }
    (void)snprintf(digits, sizeof(digits), "%09d", c->ns);
    size_t count = len - 1;
    while (digit == '9' && count > 0 && digits[count - 1] == '0') {
        count--;
    }
    if (count > 0) {
        buf_add_byte(out, layout.ptr[0]);
        buf_add(out, digits, count);
    }
    return len;
}

void template_format_time(int64_t ns, struct str layout, struct buf *out)
{
    struct civil c = civil_of(ns);

    while (layout.len > 0) {
        const struct part *part = find_part(layout);
        size_t taken = part == NULL ? add_fraction(out, layout, &c) : strlen(part->layout);
        bool is_text = part != NULL ? part->add == NULL : taken == 0;
        if (is_text) {
            buf_add_byte(out, layout.ptr[0]);
            taken = 1;
        } else if (part != NULL) {
            part->add(out, &c);
        }
        layout = str_slice(layout, taken, layout.len);
    }
}

/* A fraction of <unit> without zeros at its end: 1.5. */
static void add_units(struct buf *out, uint64_t ns, uint64_t unit, int digits)
{
    buf_add_u64(out, ns / unit);
    if (ns % unit != 0) {
        buf_addf(out, ".%0*llu", digits, (unsigned long long)(ns % unit));
        while (out->ptr[out->len - 1] == '0') {
            buf_truncate(out, out->len - 1);
        }
    }
}

void template_print_duration(int64_t ns, struct buf *out)
{
    uint64_t rest = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    uint64_t seconds = rest / NS_PER_S;

    buf_add_text(out, ns < 0 ? "-" : "");
    if (rest == 0) {
        buf_add_text(out, "0s");
    } else if (rest < 1000) {
        buf_addf(out, "%lluns", (unsigned long long)rest);
    } else if (rest < NS_PER_MS) {
        add_units(out, rest, 1000, 3);
        buf_add_text(out, "\xC2\xB5s");
    } else if (rest < NS_PER_S) {
        add_units(out, rest, NS_PER_MS, 6);
        buf_add_text(out, "ms");
    } else {
        if (seconds >= 3600) {
            buf_addf(out, "%lluh", (unsigned long long)(seconds / 3600));
        }
        if (seconds >= 60) {
            buf_addf(out, "%llum", (unsigned long long)(seconds / 60 % 60));
        }
        add_units(out, rest % ((uint64_t)60 * NS_PER_S), NS_PER_S, 9);
        buf_add_byte(out, 's');
    }
}
