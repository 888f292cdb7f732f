// SPDX-License-Identifier: Apache-2.0
// Chains as text, and back.
#include <algorithm>
#include <map>

#include "op/elementwise/chain.h"

namespace flx {
namespace {

struct Writer {
  const Chain& chain;
  std::vector<int> uses;
  std::vector<std::string> names;   // by step: its name, once it has one
  int named = 0;
  std::string statements;

  std::string Call(int s) {
    const ChainStep& step = chain.steps()[size_t(s)];
    std::vector<std::string> parts;
    for (int in : step.in) parts.push_back(in >= 0 ? Text("x", in) : Refer(~in));
    for (auto& [key, value] : step.op->schema.PrintAll(step.attrs.get(), true)) parts.push_back(Text(key, "=", value));
    return Text(step.op->name, "(", Join(parts, ", "), ")");
  }
  std::string Refer(int s) {
    if (uses[size_t(s)] < 2) return Call(s);
    if (names[size_t(s)].empty()) {
      std::string call = Call(s);
      names[size_t(s)] = Text("t", named++);
      statements += Text(names[size_t(s)], " = ", call, "; ");
    }
    return names[size_t(s)];
  }
};

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  bool Read(std::vector<ChainStep>* steps, std::vector<int>* outputs) {
    steps_ = steps;
    do {
      std::string_view word = Word();
      if (word.empty()) return false;
      int value;
      if (Take('=')) {
        std::string_view op = Word();
        if (op.empty() || !Expression(op, &value) || value >= 0 || !names_.emplace(word, value).second) return false;
      } else {
        if (!Expression(word, &value) || value >= 0) return false;
        outputs->push_back(~value);
      }
    } while (Take(';'));
    return rest_.empty() && !outputs->empty();
  }

 private:
  void Space() { while (!rest_.empty() && rest_[0] == ' ') rest_.remove_prefix(1); }
  bool Take(char c) {
    Space();
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    Space();
    return true;
  }
  std::string_view Word() {
    Space();
    size_t n = 0;
    while (n < rest_.size() && (rest_[n] == '_' || (rest_[n] >= '0' && rest_[n] <= '9') || ((rest_[n] | 32) >= 'a' && (rest_[n] | 32) <= 'z'))) ++n;
    std::string_view w = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return w;
  }
  // An attribute's value: up to the comma or parenthesis that ends it.
  bool Value(std::string_view* value) {
    int open = 0;
    for (size_t n = 0; n < rest_.size(); ++n) {
      char c = rest_[n];
      if (open == 0 && (c == ',' || c == ')')) {
        *value = Trim(rest_.substr(0, n));
        rest_.remove_prefix(n);
        return true;
      }
      open += (c == '(' || c == '[') - (c == ')' || c == ']');
    }
    return false;
  }
  bool Expression(std::string_view word, int* value, int depth = 0) {
    if (depth > kChainSteps) return false;
    if (auto it = names_.find(word); it != names_.end()) return *value = it->second, true;
    if (!Take('(')) {
      int64_t k;
      if (word[0] != 'x' || !ParseInt(word.substr(1), &k) || k < 0 || k >= kChainInputs) return false;
      return *value = int(k), true;
    }
    ChainStep step;
    step.op = FindOpOrNull(word);
    if (!step.op || !CanBeStep(*step.op)) return false;
    std::vector<KeyValue> options;
    do {
      std::string_view name = Word(), text;
      int in;
      if (name.empty()) return false;
      if (Take('=')) {
        if (!Value(&text)) return false;
        options.emplace_back(name, text);
      } else {
        if (!options.empty() || !Expression(name, &in, depth + 1)) return false;
        step.in.push_back(in);
      }
    } while (Take(','));
    if (!Take(')') || step.in.size() != step.op->inputs.size() || steps_->size() >= size_t(kChainSteps)) return false;
    step.attrs = step.op->schema.Parse(step.op->name, options.data(), options.size());
    steps_->push_back(std::move(step));
    return *value = ~int(steps_->size() - 1), true;
  }

  std::string_view rest_;
  std::vector<ChainStep>* steps_ = nullptr;
  std::map<std::string_view, int> names_;
};
}  // namespace

std::string Chain::Print() const {
  Writer w{*this, std::vector<int>(steps_.size()), std::vector<std::string>(steps_.size()), 0, {}};
  for (auto& s : steps_) for (int in : s.in) if (in < 0) ++w.uses[size_t(~in)];
  for (int o : outputs_) ++w.uses[size_t(o)];
  std::vector<std::string> results;
  for (int o : outputs_) results.push_back(w.Refer(o));
  return w.statements + Join(results, "; ");
}
bool Chain::Parse(std::string_view text, Chain* to) {
  std::vector<ChainStep> steps;
  std::vector<int> outputs;
  if (!Reader(text).Read(&steps, &outputs)) return false;
  std::vector<int> sorted = outputs;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end() || outputs.size() > size_t(kChainOutputs)) return false;
  *to = Chain(steps, outputs);
  return true;
}

}  // namespace flx
