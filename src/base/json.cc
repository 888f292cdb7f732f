// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/text.h"

namespace flx {
namespace {

class Reader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Reader(std::string_view text, std::string_view who, const std::string& file, const JsonLimits& limits)
      : begin_(text.data()), furthest_(text.data()), who_(who), file_(file), limits_(limits) {}
  JsonValue root;
  const char** furthest() { return &furthest_; }
  template <class... A> [[noreturn]] void Refuse(const A&... a) const { FailJson(who_, file_, at(), Text(a...)); }

  bool null() override { return Add({}); }
  bool boolean(bool b) override {
    JsonValue v;
    v.type = JsonValue::kBoolean, v.boolean = b;
    return Add(std::move(v));
  }
  bool number_integer(number_integer_t n) override { return Integer(n); }
  bool number_unsigned(number_unsigned_t n) override {
    return n <= uint64_t(std::numeric_limits<int64_t>::max()) ? Integer(int64_t(n)) : Number(double(n));
  }
  bool number_float(number_float_t n, const string_t&) override { return Number(n); }
  bool binary(binary_t&) override { return Add({}); }
  bool string(string_t& s) override {
    JsonValue v;
    v.type = JsonValue::kString, v.text = std::move(s);
    return Add(std::move(v));
  }
  bool start_object(size_t) override { return Start(JsonValue::kObject); }
  bool start_array(size_t) override { return Start(JsonValue::kArray); }
  bool end_object() override { return End(); }
  bool end_array() override { return End(); }
  bool key(string_t& k) override {
    if (!open_.back().keys.insert(k).second) Refuse("the key `", k, "` occurs twice.");
    open_.back().key = std::move(k);
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override { Refuse("not valid JSON."); }

 private:
  struct Open { JsonValue value; std::set<std::string> keys; std::string key; };
  int64_t at() const { return furthest_ - begin_; }
  bool Integer(int64_t n) {
    JsonValue v;
    v.type = JsonValue::kInteger, v.integer = n, v.number = double(n);
    return Add(std::move(v));
  }
  bool Number(double n) {
    JsonValue v;
    v.type = JsonValue::kNumber, v.number = n;
    return Add(std::move(v));
  }
  void CountOne() {
    if (++count_ > limits_.values) Refuse("more than ", limits_.values, " values.");
  }
  bool Add(JsonValue v) {
    CountOne();
    v.at = at();
    if (open_.empty()) root = std::move(v);
    else if (open_.back().value.is(JsonValue::kObject)) open_.back().value.members.emplace_back(std::move(open_.back().key), std::move(v));
    else open_.back().value.items.push_back(std::move(v));
    return true;
  }
  bool Start(JsonValue::Type type) {
    if (open_.size() >= limits_.depth) Refuse("nested deeper than ", limits_.depth, ".");
    open_.emplace_back();
    open_.back().value.type = type;
    return true;
  }
  bool End() {
    JsonValue v = std::move(open_.back().value);
    open_.pop_back();
    return Add(std::move(v));
  }
  const char *begin_, *furthest_;
  std::string who_;
  const std::string& file_;
  const JsonLimits& limits_;
  size_t count_ = 0;
  std::vector<Open> open_;
};
}  // namespace

const JsonValue* JsonValue::Find(std::string_view key) const {
  for (auto& m : members)
    if (m.first == key) return &m.second;
  return nullptr;
}
const char* JsonValue::type_name() const {
  static constexpr const char* names[] = {"null", "a boolean", "a number", "a number", "a string", "an object", "an array"};
  return names[type];
}

void FailJson(std::string_view who, const std::string& file, int64_t at, const std::string& what) {
  if (!file.empty()) FailFile(Status::kFormat, file, at, what);
  Error e(Status::kFormat, Text("[", who, "] at byte ", at, ": ", what));
  e.offset = at;
  throw e;
}

JsonValue ParseJson(std::string_view text, std::string_view who, const std::string& file, const JsonLimits& limits) {
  if (text.size() > limits.bytes) FailJson(who, file, int64_t(limits.bytes), Text("the text has ", text.size(), " bytes, more than ", limits.bytes, "."));
  Reader reader(text, who, file, limits);
  const CountedText begin{text.data(), reader.furthest()}, end{text.data() + text.size(), reader.furthest()};
  nlohmann::json::sax_parse(begin, end, &reader);
  return std::move(reader.root);
}

}  // namespace flx
