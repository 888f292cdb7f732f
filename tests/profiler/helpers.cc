// SPDX-License-Identifier: Apache-2.0
#include "helpers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace flx {
namespace {
std::string TextOf(const JsonValue& v, const char* key) {
  auto* m = v.Find(key);
  return m && m->is(JsonValue::kString) ? m->text : std::string();
}
int64_t NsOf(const JsonValue& e, const char* key) {
  auto* m = e.Find(key);
  if (!m || (!m->is(JsonValue::kNumber) && !m->is(JsonValue::kInteger))) {
    ADD_FAILURE() << "an event without " << key;
    return 0;
  }
  EXPECT_GE(m->number, 0);
  return std::llround(m->number * 1000);
}
void CheckNesting(const std::vector<TraceEvent>& events) {
  std::map<int64_t, std::vector<const TraceEvent*>> by_thread;
  for (auto& e : events)
    if (e.phase == "X") by_thread[e.tid].push_back(&e);
  for (auto& [tid, spans] : by_thread) {
    std::sort(spans.begin(), spans.end(), [](auto* a, auto* b) { return a->begin < b->begin; });
    std::vector<const TraceEvent*> open;
    for (auto* s : spans) {
      while (!open.empty() && open.back()->end() <= s->begin) open.pop_back();
      if (!open.empty()) {
        EXPECT_LT(open.back()->begin, s->begin) << open.back()->name << " and " << s->name;
        EXPECT_GT(open.back()->end(), s->end()) << s->name << " sticks out of " << open.back()->name;
      }
      open.push_back(s);
    }
  }
}
}  // namespace

std::vector<TraceEvent> Trace::Of(std::string_view phase, std::string_view name) const {
  std::vector<TraceEvent> found;
  for (auto& e : events)
    if (e.phase == phase && (name.empty() || e.name == name)) found.push_back(e);
  return found;
}

Trace ReadTrace() {
  Trace t;
  size_t longest = 0;
  WriteTrace([&](std::string_view piece) { t.text += piece, longest = std::max(longest, piece.size()); });
  EXPECT_LE(longest, 40u << 10);  // whatever the whole is
  t.json = ParseJson(t.text, "trace", {}, {size_t(1) << 30, 256, 100000000});
  auto* events = t.json.Find("traceEvents");
  if (!events || !events->is(JsonValue::kArray)) {
    ADD_FAILURE() << "no traceEvents";
    return t;
  }
  std::map<std::string, int> open;  // async
  for (auto& e : events->items) {
    TraceEvent v;
    v.phase = TextOf(e, "ph"), v.name = TextOf(e, "name"), v.category = TextOf(e, "cat"), v.id = TextOf(e, "id");
    EXPECT_TRUE(e.Find("pid") && e.Find("pid")->is(JsonValue::kInteger) && e.Find("pid")->integer > 0);
    EXPECT_TRUE(e.Find("tid") && e.Find("tid")->is(JsonValue::kInteger));
    v.tid = e.Find("tid")->integer;
    if (auto* a = e.Find("args")) v.args = *a;
    if (v.phase == "M") {
      if (v.name == "thread_name") t.threads[v.tid] = TextOf(v.args, "name");
      else EXPECT_EQ(v.name, "process_name");
      EXPECT_TRUE(v.args.Find("name"));
      continue;
    }
    v.begin = NsOf(e, "ts");
    EXPECT_FALSE(v.category.empty());
    EXPECT_TRUE(t.threads.count(v.tid)) << v.tid;
    if (v.phase == "X") v.ns = NsOf(e, "dur");
    else if (v.phase == "b") EXPECT_EQ(open[v.id]++, 0);
    else if (v.phase == "e") EXPECT_EQ(open[v.id]--, 1);
    else if (v.phase == "C") EXPECT_TRUE(v.args.is(JsonValue::kObject) && !v.args.members.empty());
    else if (v.phase == "i") EXPECT_EQ(TextOf(e, "s"), "p");
    else ADD_FAILURE() << "phase " << v.phase;
    t.events.push_back(std::move(v));
  }
  for (auto& [id, n] : open) EXPECT_EQ(n, 0) << id;
  CheckNesting(t.events);
  auto* other = t.json.Find("otherData");
  t.dropped = other ? std::stoll(TextOf(*other, "dropped")) : -1;
  return t;
}
JsonValue ReadTable() { return ParseJson(ProfileJson(), "table"); }
ProfileOptions Only(uint32_t kinds) {
  ProfileOptions o;
  o.kinds = kinds;
  return o;
}

}  // namespace flx
