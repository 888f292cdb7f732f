// SPDX-License-Identifier: Apache-2.0
#include "base/host_token.h"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>

#include "base/text.h"

namespace flx {
namespace {
struct Held { int64_t count = 0; std::string label; };
struct All {
  std::mutex mutex;
  std::map<int64_t, Held> held;
  std::deque<int64_t> dead;
};
All& A() { static auto* a = new All; return *a; }
}  // namespace

HostToken::HostToken(int64_t token) : token_(token) {
  if (token < 0) return;
  All& a = A();
  std::lock_guard<std::mutex> lock(a.mutex);
  // taken up again before anybody was told
  if (a.held[token].count++ == 0) a.dead.erase(std::remove(a.dead.begin(), a.dead.end(), token), a.dead.end());
}
HostToken::~HostToken() {
  if (token_ < 0) return;
  All& a = A();
  std::lock_guard<std::mutex> lock(a.mutex);
  auto it = a.held.find(token_);
  if (--it->second.count > 0) return;
  a.held.erase(it);
  a.dead.push_back(token_);
}

int64_t NextDeadToken() {
  All& a = A();
  std::lock_guard<std::mutex> lock(a.mutex);
  if (a.dead.empty()) return -1;
  int64_t t = a.dead.front();
  a.dead.pop_front();
  return t;
}
void NoteHostLabel(int64_t token, const std::string& label) {
  All& a = A();
  std::lock_guard<std::mutex> lock(a.mutex);
  auto it = a.held.find(token);
  if (it != a.held.end() && it->second.label != label) it->second.label = label;
}
std::string HostLabel(int64_t token) {
  All& a = A();
  std::lock_guard<std::mutex> lock(a.mutex);
  auto it = a.held.find(token);
  if (it == a.held.end() || it->second.label.empty()) return Text("host function ", token);
  return Text("host operation `", it->second.label, "`");
}
int64_t TokenOfLabel(const std::string& label) {
  All& a = A();
  std::lock_guard<std::mutex> lock(a.mutex);
  int64_t found = -1;
  for (auto& [token, held] : a.held) {
    if (label.empty() || held.label != label) continue;
    if (found >= 0) Fail(Status::kState, "_host", "two host operations are called `", label, "` (tokens ", found, " and ", token, "), so that the label does not tell which to run. Give each its own label.");
    found = token;
  }
  return found;
}

namespace attrs_detail {
bool Traits<HostToken>::Parse(const Field&, HostToken* p, std::string_view s) {
  int64_t v;
  if (!ParseInt(s, &v)) return false;
  *p = HostToken(v);
  return true;
}
void Traits<HostToken>::Print(const HostToken& v, std::string* o) { AppendInt(o, v.get()); }
}  // namespace attrs_detail

}  // namespace flx
