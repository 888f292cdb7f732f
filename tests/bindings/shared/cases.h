/* SPDX-License-Identifier: Apache-2.0
 * The shared tables read from C and C++. A table is cases with an empty line between; a line is a word and key=value fields, with tabs between; in values \t, \n and \\
 * stand for tab, newline and backslash. The first line of a case is `case id=... kind=...`. tests/golden has the same form. */
#ifndef SHARED_CASES_H_
#define SHARED_CASES_H_
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FIELDS = 24, MAX_LINES = 48 };
struct line { const char *word; int count; const char *keys[MAX_FIELDS], *values[MAX_FIELDS]; };
struct table_case { int count; struct line lines[MAX_LINES]; };
struct table { char *text; int count; struct table_case *cases; };

static void table_fail(const char *what, const char *which) {
  fprintf(stderr, "%s: %s\n", which, what);
  exit(2);
}
/* \t \n \\ to what they stand for, in place. */
static char *table_plain(char *s) {
  char *to = s;
  for (char *from = s; *from; ++from) {
    if (*from == '\\' && from[1]) *to++ = *++from == 't' ? '\t' : *from == 'n' ? '\n' : *from;
    else *to++ = *from;
  }
  *to = 0;
  return s;
}
static void table_line(struct line *line, char *row) {
  char *part = strchr(row, '\t');
  line->word = row;
  line->count = 0;
  while (part) {
    char *key = part + 1, *value = strchr(key, '=');
    *part = 0;
    part = strchr(key, '\t');
    if (!value || (part && value > part) || line->count == MAX_FIELDS) table_fail("a field without =, or too many", row);
    *value++ = 0;
    if (part) *part = 0;
    line->keys[line->count] = key;
    line->values[line->count++] = value;
    if (part) *part = '\t';
  }
  /* The ends of the values are known only now. */
  for (int i = 0; i < line->count; ++i) {
    char *value = (char *)line->values[i], *end = strchr(value, '\t');
    if (end) *end = 0;
    table_plain(value);
  }
}
static struct table table_read(const char *path) {
  struct table t = {NULL, 0, NULL};
  FILE *f = fopen(path, "rb");
  long size;
  if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0) table_fail("cannot be read", path);
  rewind(f);
  t.text = (char *)malloc((size_t)size + 1);
  if (!t.text || fread(t.text, 1, (size_t)size, f) != (size_t)size) table_fail("cannot be read", path);
  t.text[size] = 0;
  fclose(f);
  int open = 0;
  for (char *row = t.text, *next; row; row = next) {
    next = strchr(row, '\n');
    if (next) *next++ = 0;
    if (!*row || *row == '#') {
      open = open && *row;
      continue;
    }
    if (!open) {
      t.cases = (struct table_case *)realloc(t.cases, (size_t)(t.count + 1) * sizeof *t.cases);
      if (!t.cases) table_fail("no memory", path);
      t.cases[t.count++].count = 0;
      open = 1;
    }
    struct table_case *c = &t.cases[t.count - 1];
    if (c->count == MAX_LINES) table_fail("too many lines in a case", row);
    table_line(&c->lines[c->count++], row);
  }
  return t;
}
static void table_free(struct table *t) {
  free(t->text);
  free(t->cases);
}
/* The value of a field, or `otherwise`; the first line with a word, or null. */
static const char *table_get(const struct line *l, const char *key, const char *otherwise) {
  for (int i = 0; l && i < l->count; ++i)
    if (!strcmp(l->keys[i], key)) return l->values[i];
  return otherwise;
}
static const struct line *table_find(const struct table_case *c, const char *word) {
  for (int i = 0; i < c->count; ++i)
    if (!strcmp(c->lines[i].word, word)) return &c->lines[i];
  return NULL;
}
static const char *table_word(const struct table_case *c, const char *word, const char *key) {
  const char *v = table_get(table_find(c, word), key, NULL);
  if (!v) table_fail("a case lacks this", key);
  return v;
}
/* "2,3" as sizes, "-" as none; how many. */
static int table_shape(const char *text, int64_t *dims) {
  int n = 0;
  char *end;
  if (!strcmp(text, "-")) return 0;
  for (const char *p = text;; p = end + 1) {
    dims[n++] = strtoll(p, &end, 10);
    if (*end != ',') return n;
  }
}
#endif
