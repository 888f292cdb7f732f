// SPDX-License-Identifier: Apache-2.0
// The trace as JSON: chrome's trace events, as chrome://tracing and Perfetto read them. Written piece by piece: no text is larger than one event and a piece.
#include <unistd.h>

#include <cerrno>
#include <cmath>

#include "base/text.h"
#include "base/utf8.h"
#include "profiler/internals.h"

namespace flx {
namespace {
constexpr size_t kPiece = 32 << 10;

class TraceWriter {
 public:
  explicit TraceWriter(const ProfilePut& put) : put_(put), pid_(Text(int64_t(::getpid()))) {}

  void All() {
    text_ = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n";
    Meta("process_name", pid_, program_invocation_short_name);
    auto threads = ProfiledThreads();
    for (auto& t : threads) Meta("thread_name", Text(int64_t(t.tid)), t.name);
    for (auto& t : threads) {
      tid_ = Text(int64_t(t.tid));
      ForEachRecord(t, [&](const ProfileRecord& r) { Event(r); });
    }
    text_ += Text("\n],\"otherData\":{\"library\":\"flexor\",\"dropped\":\"", DroppedRecords(), "\",\"start_unix_us\":\"", ProfileS().zero_unix_us, "\"}}\n");
    put_(text_);
  }

 private:
  void Begin(const char* phase, std::string_view tid) {
    if (text_.size() > kPiece) put_(text_), text_.clear();
    if (!first_) text_ += ",\n";
    first_ = false;
    text_ += "{\"ph\":\"", text_ += phase, text_ += "\",\"pid\":", text_ += pid_, text_ += ",\"tid\":", text_ += tid;
  }
  void Quoted(const char* key, std::string_view text) { text_ += key, AppendQuoted(&text_, IsUtf8(text) ? text : std::string_view(ToUtf8(text))); }
  void Micro(const char* key, int64_t ns) {  // microseconds, exactly
    text_ += key;
    AppendInt(&text_, ns / 1000);
    text_ += '.';
    for (int64_t part = ns % 1000, at = 100; at; part %= at, at /= 10) text_ += char('0' + part / at);
  }
  void Meta(const char* what, std::string_view tid, std::string_view name) {
    Begin("M", tid);
    Quoted(",\"name\":", what), Quoted(",\"args\":{\"name\":", name);
    text_ += "}}";
  }
  void Head(const char* phase, const ProfileRecord& r, uint64_t at) {
    RecordTitle title = TitleOf(r);
    Begin(phase, tid_);
    Quoted(",\"cat\":", title.category), Quoted(",\"name\":", title.name), Micro(",\"ts\":", scale_.Ns(at));
  }
  // Numbers that JSON does not have become texts.
  void Number(double v) {
    if (std::isfinite(v)) AppendDouble(&text_, v);
    else Quoted("", Text(v));
  }
  void Event(const ProfileRecord& r) {
    switch (r.type) {
      case ProfileRecord::kSpan:
        Head("X", r, r.begin), Micro(",\"dur\":", scale_.Ns(r.end) - scale_.Ns(r.begin));
        Facts(r);
        break;
      case ProfileRecord::kApart: {
        std::string id = Text(++apart_);
        Head("b", r, r.begin), Quoted(",\"id\":", id), Facts(r);
        text_ += '}';
        Head("e", r, r.end), Quoted(",\"id\":", id);
        break;
      }
      case ProfileRecord::kCounter:
        Head("C", r, r.begin), text_ += ",\"args\":{\"value\":", Number(r.value), text_ += '}';
        break;
      case ProfileRecord::kMemory: {
        ProfileFact peak;
        FactReader(r).Next(&peak);
        Head("C", r, r.begin), text_ += Text(",\"args\":{\"live\":", int64_t(r.value), ",\"peak\":", peak.number, "}");
        break;
      }
      case ProfileRecord::kMark: Head("i", r, r.begin), text_ += ",\"s\":\"p\""; break;
    }
    text_ += '}';
  }
  // "args":{"inputs":["float32 (2, 3)"],"outputs":[...],"bytes":24}
  void Facts(const ProfileRecord& r) {
    bool any = false;
    ProfileFact f;
    auto key = [&](std::string_view k) {
      text_ += any ? "," : ",\"args\":{", any = true;
      AppendQuoted(&text_, k);
      text_ += ':';
    };
    for (auto what : {ProfileFact::kInput, ProfileFact::kOutput}) {
      bool open = false;
      for (FactReader all(r); all.Next(&f);) {
        if (f.what != what) continue;
        if (open) text_ += ',';
        else key(what == ProfileFact::kInput ? "inputs" : "outputs"), text_ += '[', open = true;
        Quoted("", Text(DTypeName(f.dtype), " ", f.dims));
      }
      if (open) text_ += ']';
    }
    for (FactReader all(r); all.Next(&f);) {
      if (f.what == ProfileFact::kNumber) key(f.key), AppendInt(&text_, f.number);
      if (f.what == ProfileFact::kCut) key("more"), text_ += "\"...\"";
    }
    if (any) text_ += '}';
  }

  const ProfilePut& put_;
  const std::string pid_;
  const TickScale scale_;
  std::string text_, tid_;
  int64_t apart_ = 0;
  bool first_ = true;
};
}  // namespace

void WriteTrace(const ProfilePut& put) {
  std::lock_guard<std::mutex> lock(ProfileS().turn);
  TraceWriter(put).All();
}

}  // namespace flx
