// SPDX-License-Identifier: Apache-2.0
// What the engine's tests share: a value with its variable and a reference-counted owner, and operations made from lambdas.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/config.h"
#include "base/text.h"
#include "engine/engine.h"
#include "engine/stream.h"

namespace flx {

class Cell final : public Object {  // stands for an array's storage
 public:
  Cell() : Object(Kind::kNone) { ++alive; }
  int64_t value = 0;
  Var var;
  static std::atomic<int> alive;

 private:
  ~Cell() override { var.Reset(); --alive; }
  // As arrays do: the last owner gives the memory back, but not while a stream works on it.
  void Destroy() override { FreeAfterStreams(&var, [](void* p, size_t) { delete static_cast<Cell*>(p); }, this, 0); }
};
using CellRef = Ref<Cell>;

struct LambdaOp final : Operation {
  std::function<void()> body;
  std::vector<CellRef> owners;
  std::string name;
  void Execute() override { body(); }
  void Describe(Error* e) const override { e->op = name, e->origin = "pushed at line 7"; }
};
struct CellUse { CellRef cell; Access access; };

inline std::pair<LambdaOp*, std::vector<VarUse>> MakeOp(const std::vector<CellUse>& uses, std::function<void()> body, std::string name = "test") {
  auto* op = new LambdaOp;
  op->body = std::move(body), op->name = std::move(name);
  std::vector<VarUse> vars;
  for (auto& u : uses) op->owners.push_back(u.cell), vars.push_back({&u.cell->var, u.access});
  return {op, vars};
}
inline void Push(const std::vector<CellUse>& uses, std::function<void()> body, std::string name = "test", int priority = 0, Lane lane = Lane::kCompute) {
  auto [op, vars] = MakeOp(uses, std::move(body), std::move(name));
  op->priority = priority, op->lane = lane;
  Engine::Get().Push(op, vars.data(), int(vars.size()));
}
// As exec does it: inline if the variables are free, else queued. True: it ran inline.
inline bool RunOrPush(const std::vector<CellUse>& uses, const std::function<void()>& body, double cost_us = 1) {
  Engine& e = Engine::Get();
  auto [op, vars] = MakeOp(uses, body);
  int n = int(vars.size());
  if (!e.MayInline(cost_us) || !Engine::TryAcquire(vars.data(), n)) {
    e.Push(op, vars.data(), n);
    return false;
  }
  if (auto p = Engine::FirstPoison(vars.data(), n)) {
    Engine::PoisonWrites(vars.data(), n, p);
  } else {
    try {
      op->Execute();
      Engine::ClearWrites(vars.data(), n);
    } catch (...) {
      auto q = Make<const Poison>(Engine::CurrentError());
      Engine::PoisonWrites(vars.data(), n, q);
      e.NoteFailure(q);
    }
  }
  Engine::CountInline();
  Engine::Release(vars.data(), n);
  delete op;
  return true;
}
struct WithOption {
  const char* name;
  WithOption(const char* n, const char* v) : name(n) { SetOption(n, v); }
  ~WithOption() { SetOption(name, ""); }
};

}  // namespace flx
