// SPDX-License-Identifier: Apache-2.0
#include "io/rows.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/thread_pool.h"
#include "base/text.h"
#include "engine/engine.h"

namespace flx {
namespace {

using Fields = std::vector<RowField>;
constexpr double kBytesPerUs = 8000;

// Fills one batch: row i of out[f] is row rows[i] of field f.
struct Gather {
  std::shared_ptr<const Fields> fields;
  std::vector<int64_t> rows;
  std::vector<NDArray> out;

  double EstimateUs() const {
    double bytes = 0;
    for (auto& a : out) bytes += 2 * double(a->bytes());
    return bytes / kBytesPerUs;
  }
  std::vector<VarUse> Uses() const {  // one for each variable: data and labels may be views of one array
    std::vector<VarUse> uses;
    for (auto& f : *fields) {
      Var* v = &f.from->storage->var;
      if (std::none_of(uses.begin(), uses.end(), [v](const VarUse& u) { return u.var == v; })) uses.push_back({v, Access::kRead});
    }
    return uses;
  }
  void Execute() const {
    for (size_t f = 0; f < out.size(); ++f)
      if (out[f]->size()) Copy((*fields)[f], out[f]->View());
  }

 private:
  void Copy(const RowField& f, const TensorView& to) const {
    TensorView from = f.from->View();
    int64_t n = int64_t(rows.size()), elements = to.size() / n, row_bytes = to.bytes() / n;
    int64_t grain = std::max<int64_t>(1, (1 << 18) / row_bytes);
    auto* target = static_cast<char*>(to.raw());
    if (f.scale != 0) {
      auto* source = from.data<uint8_t>();
      auto scale = static_cast<float>(f.scale);
      ParallelFor(n, grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const uint8_t* p = source + rows[size_t(i)] * elements;
          auto* q = reinterpret_cast<float*>(target + i * row_bytes);
          for (int64_t j = 0; j < elements; ++j) q[j] = float(p[j]) * scale;
        }
      });
      return;
    }
    if (from.contiguous) {
      auto* source = static_cast<const char*>(from.raw());
      ParallelFor(n, grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end;) {  // neighbours in one go
          int64_t next = i + 1;
          while (next < end && rows[size_t(next)] == rows[size_t(next) - 1] + 1) ++next;
          std::memcpy(target + i * row_bytes, source + rows[size_t(i)] * row_bytes, size_t((next - i) * row_bytes));
          i = next;
        }
      });
      return;
    }
    TensorView row = from;
    row.shape.Erase(0), row.strides.Erase(0);
    row.contiguous = false;
    TensorView put = MakeView(to.base, to.dtype, row.shape, to.offset);
    for (int64_t i = 0; i < n; ++i) {
      row.offset = from.offset + rows[size_t(i)] * from.strides[0] * DTypeSize(from.dtype);
      put.offset = to.offset + i * row_bytes;
      CopyStrided(row, put);
    }
  }
};

struct GatherOperation final : Operation {
  Gather gather;
  void Execute() override { gather.Execute(); }
  void Describe(Error* e) const override { e->op = "iter"; }
};

void Run(Gather gather) {
  Engine& engine = Engine::Get();
  std::vector<VarUse> uses = gather.Uses();
  if (engine.MayInline(gather.EstimateUs()) && Engine::TryAcquire(uses.data(), int(uses.size()))) {
    engine.CountInline();
    struct Grant { std::vector<VarUse>& u; ~Grant() { Engine::Release(u.data(), int(u.size())); } } grant{uses};
    for (auto& f : *gather.fields) ThrowIfPoisoned(*f.from);
    return gather.Execute();
  }
  auto op = std::make_unique<GatherOperation>();
  op->lane = Lane::kIo;
  op->cost_us = float(gather.EstimateUs());  // for waits with a time limit
  for (auto& a : gather.out) {
    uses.push_back({&a->storage->var, Access::kWrite});
    a->storage->NoteWriter(WriterOf("iter"));
  }
  op->gather = std::move(gather);
  engine.Push(op.release(), uses.data(), int(uses.size()));
}

class RowIter final : public Iter {
 public:
  RowIter(Fields fields, const RowPlan& plan) : plan_(plan) {
    rows_ = fields[0].from->shape[0];
    first_ = int64_t(static_cast<__int128>(rows_) * plan.part / plan.parts);
    end_ = int64_t(static_cast<__int128>(rows_) * (plan.part + 1) / plan.parts);
    for (auto& f : fields) names_.push_back(f.name);
    fields_ = std::make_shared<const Fields>(std::move(fields));
    RowIter::Begin(0);
  }
  int64_t size() const override {
    int64_t n = end_ - first_;
    return plan_.last == LastBatch::kDrop ? n / plan_.batch_size * plan_.batch_size : n;
  }
  int64_t batch_size() const override { return plan_.batch_size; }

 protected:
  void Begin(int64_t epoch) override {
    at_ = first_;
    if (plan_.shuffle) order_ = Permutation(rows_, plan_.seed, epoch);
  }
  bool Fetch() override {
    int64_t there = std::min(plan_.batch_size, end_ - at_), n = plan_.last == LastBatch::kKeep ? there : plan_.batch_size;
    if (there == 0 || (there < n && plan_.last == LastBatch::kDrop)) return false;
    Gather g;
    g.fields = fields_;
    g.rows.reserve(size_t(n));
    for (int64_t i = 0; i < n; ++i) {
      // filling is taken from the beginning of the epoch, again and again if need be
      int64_t p = i < there ? at_ + i : first_ + (i - there) % (end_ - first_);
      g.rows.push_back(plan_.shuffle ? order_[size_t(p)] : p);
    }
    for (auto& f : *fields_) {
      Shape s = f.row;
      s.Insert(0, n);
      g.out.push_back(Array::New(s, f.scale != 0 ? DType::kFloat32 : f.from->dtype));
    }
    std::vector<NDArray> out = g.out;
    Run(std::move(g));
    arrays_ = std::move(out);
    at_ += there;
    pad_ = n - there;
    return true;
  }

 private:
  std::shared_ptr<const Fields> fields_;
  RowPlan plan_;
  int64_t rows_ = 0, first_ = 0, end_ = 0, at_ = 0;
  std::vector<int64_t> order_;
};

}  // namespace

Ref<Iter> MakeRowIter(const char* who, std::vector<RowField> fields, const RowPlan& plan) {
  if (fields.empty()) Fail(Status::kArgument, who, "expected one array at least, given none.");
  if (plan.part < 0 || plan.part >= plan.parts) Fail(Status::kArgument, who, "the part must be in [0, ", plan.parts, "), given ", plan.part, ".");
  for (size_t i = 0; i < fields.size(); ++i) {
    auto& f = fields[i];
    if (!f.from) Fail(Status::kArgument, who, "array `", f.name, "` is null.");
    if (!f.from->on_cpu()) Fail(Status::kUnsupported, who, "arrays must be on the CPU; `", f.name, "` is not. Copy it there first.");
    if (f.from->shape.ndim() < 1) Fail(Status::kShape, who, "array `", f.name, "` must have a first axis of samples, given shape ", f.from->shape, ".");
    if (f.from->shape[0] != fields[0].from->shape[0])
      Fail(Status::kShape, who, "arrays must have as many rows: `", fields[0].name, "` has ", fields[0].from->shape[0], ", `", f.name, "` has ", f.from->shape[0], ".");
    for (size_t j = 0; j < i; ++j)
      if (fields[j].name == f.name) Fail(Status::kArgument, who, "names must differ, given `", f.name, "` twice.");
  }
  return Make<RowIter>(std::move(fields), plan);
}

}  // namespace flx
