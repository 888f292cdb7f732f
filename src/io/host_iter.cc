// SPDX-License-Identifier: Apache-2.0
// Batches that the host's code gives. A task asks its driver for each (asks(), Give()); without a task there is nobody to ask.
#include "base/host_token.h"
#include "base/text.h"
#include "io/iters.h"

namespace flx {
namespace {

struct HostIterAttrs {
  int64_t batch_size = 0;
  std::optional<int64_t> size;
  std::string label;
};

class HostIter final : public Iter {
 public:
  HostIter(int64_t token, const HostIterAttrs& a, const std::vector<std::string>& names) : token_(token), attrs_(a) {
    names_ = names;
    if (names_.empty()) names_ = {"data", "label"};
  }
  int64_t size() const override { return attrs_.size ? *attrs_.size : -1; }
  int64_t batch_size() const override { return attrs_.batch_size > 0 ? attrs_.batch_size : -1; }
  int64_t asks() const override { return answered_ ? -1 : token_.get(); }
  void Give(std::vector<NDArray> arrays) override {
    if (!arrays.empty()) Check(arrays);
    given_ = std::move(arrays), answered_ = true;
  }

 protected:
  bool Fetch() override {
    if (!answered_)
      Fail(Status::kUnsupported, who(), "its batches are the host's, which only a task asks for. Give the iterator to flx_fit_start, flx_evaluate_start or flx_predict_start; or take batches from "
           "the host's own code.");
    answered_ = false;
    arrays_ = std::move(given_);
    given_.clear();
    return !arrays_.empty();
  }
  void Begin(int64_t) override { given_.clear(), answered_ = false; }

 private:
  const std::string& who() const {
    static const auto& plain = *new std::string("host iterator");
    return attrs_.label.empty() ? plain : attrs_.label;
  }
  void Check(const std::vector<NDArray>& arrays) const {
    if (arrays.size() != names_.size())
      Fail(Status::kArgument, who(), "a batch has ", names_.size(), names_.size() == 1 ? " array (" : " arrays (", Join(names_, ", "), "), given ", arrays.size(), ". None ends the epoch.");
    for (size_t i = 0; i < arrays.size(); ++i) {
      if (!arrays[i]) Fail(Status::kArgument, who(), "array `", names_[i], "` of the batch is null.");
      if (arrays[i]->shape.ndim() < 1) Fail(Status::kShape, who(), "array `", names_[i], "` of a batch needs an axis of samples, given a single number.");
      if (!arrays[i]->on_cpu()) Fail(Status::kDevice, who(), "array `", names_[i], "` of a batch must be on the CPU.");
      if (arrays[i]->shape[0] != arrays[0]->shape[0])
        Fail(Status::kShape, who(), "the arrays of a batch must have as many rows each: `", names_[0], "` is of shape ", arrays[0]->shape, ", `", names_[i], "` of shape ", arrays[i]->shape, ".");
    }
    if (arrays[0]->shape[0] == 0) Fail(Status::kShape, who(), "a batch has no rows. A reply without arrays ends the epoch.");
  }
  const HostToken token_;
  const HostIterAttrs attrs_;
  std::vector<NDArray> given_;
  bool answered_ = false;
};
}  // namespace

const Registered& HostIterOptions() {
  using A = HostIterAttrs;
  static const Registered& entry = *new Registered(Define<Registered, A>("host").family("iter")
      .doc("Options of an iterator whose batches the host's code gives.")
      .attr(&A::batch_size, "batch_size", "Rows in a full batch, for those who ask; batches may be of any size. 0: not said.").at_least(0)
      .attr(&A::size, "size", "Samples in an epoch, for progress and for schedules that end with a fit. None: not known.").at_least(0)
      .attr(&A::label, "label", "Its name in messages."));
  return entry;
}
Ref<Iter> HostIterOf(int64_t token, const std::vector<std::string>& names, const Settings& settings) {
  if (token < 0) Fail(Status::kArgument, "host iterator", "`token` must be 0 or more, given ", token, ".");
  return Make<HostIter>(token, *static_cast<const HostIterAttrs*>(ParseSettings(HostIterOptions(), settings).get()), names);
}

}  // namespace flx
