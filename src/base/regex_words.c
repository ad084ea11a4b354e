/*
 * Most label matchers are a word, a prefix, a suffix or a choice of words: foo|bar, api-.*,
 * (?:a|b)-[xy]. Those are expanded into the list of words that they mean, and compared as bytes.
 *
 * Only patterns whose syntax has been checked come here. What is not understood is no error: the
 * pattern then simply has no words, and PCRE2 does the work.
 */
#include "base/regex_int.h"

#include "base/arena.h"
#include "base/mem.h"

enum {
    WORDS_MAX = 20000,   /* of one pattern */
    PRODUCTS_MAX = 1000, /* that come of (a|b)(c|d) */
    BYTES_MAX = 1 << 20,
    GAPPED_MAX = 64, /* words that are compared one by one around a gap */
    LINEAR_MAX = 8,  /* words that are compared one by one without */
    DEPTH_MAX = 16,
    CLASS_MAX = 16, /* characters of a class that is expanded */
};

struct list {
    struct str *items;
    size_t count;
    size_t cap;
};

struct scan {
    struct arena arena;
    struct str pattern;
    size_t at;
    size_t bytes;   /* of all words made */
    size_t choices; /* outside of groups */
};

static void list_add(struct scan *s, struct list *l, struct str word)
{
    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 4;
        struct str *items = arena_array(&s->arena, struct str, cap);
        if (l->count > 0) {
            memcpy(items, l->items, l->count * sizeof(*items));
        }
        l->items = items;
        l->cap = cap;
    }
    l->items[l->count++] = word;
}

static struct str join(struct scan *s, struct str a, struct str b)
{
    if (a.len == 0 || b.len == 0) {
        return a.len == 0 ? b : a;
    }
    char *bytes = arena_alloc_aligned(&s->arena, a.len + b.len, 1);
    memcpy(bytes, a.ptr, a.len);
    memcpy(bytes + a.len, b.ptr, b.len);
    s->bytes += a.len + b.len;
    return str_make(bytes, a.len + b.len);
}

/* Every word of <left> followed by every word of <right>. */
static bool multiply(struct scan *s, struct list *left, const struct list *right)
{
    struct list product = {0};

    if (left->count * right->count > PRODUCTS_MAX && left->count > 1 && right->count > 1) {
        return false;
    }
    for (size_t i = 0; i < left->count; i++) {
        for (size_t k = 0; k < right->count && s->bytes <= BYTES_MAX; k++) {
            list_add(s, &product, join(s, left->items[i], right->items[k]));
        }
    }
    *left = product;
    return s->bytes <= BYTES_MAX;
}

static char peek(const struct scan *s)
{
    return s->at < s->pattern.len ? s->pattern.ptr[s->at] : '\0';
}

static bool at_end(const struct scan *s)
{
    return s->at >= s->pattern.len;
}

/* [abc]: a few ASCII characters, no ranges, nothing else. */
static bool class_words(struct scan *s, struct list *ret)
{
    for (s->at++; !at_end(s) && peek(s) != ']'; s->at++) {
        char c = peek(s);
        bool is_simple = (unsigned char)c < 0x80 && strchr("^-[\\", c) == NULL;
        if (!is_simple || ret->count == CLASS_MAX) {
            return false;
        }
        list_add(s, ret, str_slice(s->pattern, s->at, 1));
    }
    s->at++;
    return ret->count > 0;
}

static bool escape_word(struct scan *s, struct list *ret)
{
    struct regex_escape e = regex_read_escape(s->pattern, s->at);

    if (e.kind != REGEX_ESCAPE_CHAR || e.rune >= 0x80) {
        return false;
    }
    char byte = (char)e.rune;
    list_add(s, ret, arena_dup(&s->arena, str_make(&byte, 1)));
    s->at += e.length;
    return true;
}

static bool alternatives(struct scan *s, int depth, struct list *ret);

static bool group_words(struct scan *s, int depth, struct list *ret)
{
    struct str rest = str_slice(s->pattern, s->at, s->pattern.len);

    if (str_starts(rest, STR("(?:"))) {
        s->at += 3;
    } else if (str_starts(rest, STR("(?"))) {
        return false;
    } else {
        s->at += 1;
    }
    if (depth == DEPTH_MAX || !alternatives(s, depth + 1, ret) || peek(s) != ')') {
        return false;
    }
    s->at++;
    return true;
}

/* As many characters as mean themselves; the last of them is left if a quantifier follows it. */
static bool plain_word(struct scan *s, struct list *ret)
{
    size_t start = s->at;

    while (!at_end(s) && strchr(".*+?{}[]()|\\^$", peek(s)) == NULL) {
        s->at++;
    }
    if (s->at == start) {
        return false;
    }
    list_add(s, ret, str_slice(s->pattern, start, s->at - start));
    return true;
}

static bool item_words(struct scan *s, int depth, struct list *ret)
{
    switch (peek(s)) {
    case '(':
        return group_words(s, depth, ret);
    case '[':
        return class_words(s, ret);
    case '\\':
        return escape_word(s, ret);
    default:
        return plain_word(s, ret);
    }
}

static bool is_quantified(const struct scan *s)
{
    return !at_end(s) && strchr("*+?{", peek(s)) != NULL;
}

static bool concatenation(struct scan *s, int depth, struct list *ret)
{
    list_add(s, ret, STR(""));
    while (!at_end(s) && peek(s) != '|' && peek(s) != ')') {
        struct list item = {0};
        if (!item_words(s, depth, &item) || is_quantified(s) || !multiply(s, ret, &item)) {
            return false;
        }
    }
    return true;
}

static bool alternatives(struct scan *s, int depth, struct list *ret)
{
    for (;;) {
        struct list part = {0};
        s->choices += depth == 0;
        if (!concatenation(s, depth, &part)) {
            return false;
        }
        for (size_t i = 0; i < part.count; i++) {
            list_add(s, ret, part.items[i]);
        }
        if (ret->count > WORDS_MAX) {
            return false;
        }
        if (peek(s) != '|' || at_end(s)) {
            return true;
        }
        s->at++;
    }
}

/* Is the byte at <at> behind an odd number of backslashes? */
static bool is_escaped(struct str p, size_t at)
{
    size_t n = 0;

    while (n < at && p.ptr[at - 1 - n] == '\\') {
        n++;
    }
    return n % 2 == 1;
}

static bool cut_front(struct str *p, struct str text)
{
    if (!str_starts(*p, text)) {
        return false;
    }
    *p = str_slice(*p, text.len, p->len);
    return true;
}

static bool cut_back(struct str *p, struct str text)
{
    if (!str_ends(*p, text) || is_escaped(*p, p->len - text.len)) {
        return false;
    }
    p->len -= text.len;
    return true;
}

static enum regex_gap front_gap(struct str *p)
{
    if (cut_front(p, STR(".*?")) || cut_front(p, STR(".*"))) {
        return REGEX_GAP_ANY;
    }
    return cut_front(p, STR(".+?")) || cut_front(p, STR(".+")) ? REGEX_GAP_SOME : REGEX_GAP_NONE;
}

static enum regex_gap back_gap(struct str *p)
{
    if (cut_back(p, STR(".*?")) || cut_back(p, STR(".*"))) {
        return REGEX_GAP_ANY;
    }
    return cut_back(p, STR(".+?")) || cut_back(p, STR(".+")) ? REGEX_GAP_SOME : REGEX_GAP_NONE;
}

/* Cuts anchors and gaps off both ends and notes them in <w>; says whether there were any. */
static bool cut_ends(struct regex_words *w, struct str *p, enum regex_mode mode)
{
    bool caret = cut_front(p, STR("^"));
    bool dollar = cut_back(p, STR("$"));

    if (mode == REGEX_SEARCH) { /* . is not every character there */
        w->left = caret ? REGEX_GAP_NONE : REGEX_GAP_ANY;
        w->right = dollar ? REGEX_GAP_NONE : REGEX_GAP_ANY;
        return caret || dollar;
    }
    w->left = front_gap(p);
    w->right = back_gap(p);
    return caret || dollar || w->left != REGEX_GAP_NONE || w->right != REGEX_GAP_NONE;
}

/* Keeps the words of <l> in memory of their own. */
static void keep(struct regex_words *w, const struct list *l)
{
    size_t bytes = 0;

    for (size_t i = 0; i < l->count; i++) {
        bytes += l->items[i].len;
    }
    w->bytes = mem_alloc(bytes);
    w->items = mem_alloc0(l->count, sizeof(*w->items));
    w->count = l->count;
    char *to = w->bytes;
    for (size_t i = 0; i < l->count; i++) {
        struct str word = l->items[i];
        if (word.len > 0) {
            memcpy(to, word.ptr, word.len);
        }
        w->items[i] = str_make(to, word.len);
        to += word.len;
    }
    bool has_gap = w->left != REGEX_GAP_NONE || w->right != REGEX_GAP_NONE;
    for (size_t i = 0; !has_gap && w->count > LINEAR_MAX && i < w->count; i++) {
        (void)map_put(&w->set, w->items[i], &w->items[i]);
    }
}

void regex_words_init(struct regex_words *w, struct str pattern, enum regex_mode mode)
{
    struct scan s = {.pattern = pattern};
    struct list words = {0};

    *w = (struct regex_words){0};
    map_init(&w->set, 0);
    bool were_ends = cut_ends(w, &s.pattern, mode);
    arena_init(&s.arena, ARENA_UNLIMITED);
    bool has_gap = w->left != REGEX_GAP_NONE || w->right != REGEX_GAP_NONE;
    bool is_known = alternatives(&s, 0, &words) && at_end(&s);
    bool ends_are_for_all = !were_ends || s.choices == 1; /* ^a|b is not ^(a|b) */
    if (is_known && ends_are_for_all && (!has_gap || words.count <= GAPPED_MAX)) {
        keep(w, &words);
    }
    arena_release(&s.arena);
}

void regex_words_release(struct regex_words *w)
{
    map_release(&w->set);
    mem_free(w->items);
    mem_free(w->bytes);
    *w = (struct regex_words){0};
}

static bool word_matches(const struct regex_words *w, struct str word, struct str subject)
{
    size_t before = w->left == REGEX_GAP_SOME;
    size_t after = w->right == REGEX_GAP_SOME;

    if (subject.len < word.len + before + after) {
        return false;
    }
    if (w->left == REGEX_GAP_NONE) {
        return str_starts(subject, word) && (w->right != REGEX_GAP_NONE || subject.len == word.len);
    }
    if (w->right == REGEX_GAP_NONE) {
        return str_ends(subject, word);
    }
    struct str inner = str_slice(subject, before, subject.len - before - after);
    return word.len == 0 || str_find(inner, word) != inner.len;
}

bool regex_words_match(const struct regex_words *w, struct str subject)
{
    if (w->set.len > 0) {
        return map_get(&w->set, subject) != NULL;
    }
    for (size_t i = 0; i < w->count; i++) {
        if (word_matches(w, w->items[i], subject)) {
            return true;
        }
    }
    return false;
}
