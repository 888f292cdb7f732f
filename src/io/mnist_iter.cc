// SPDX-License-Identifier: Apache-2.0
// MNISTIter: images and labels from IDX files.
#include "base/log.h"
#include "base/text.h"
#include "io/idx.h"
#include "io/iters.h"
#include "io/rows.h"

namespace flx {
namespace {

struct MnistAttrs {
  std::string image = "./train-images-idx3-ubyte", label = "./train-labels-idx1-ubyte";
  int64_t batch_size = 128;
  bool shuffle = true, flat = false;
  int64_t seed = 0;
  bool silent = false;
  int64_t num_parts = 1, part_index = 0;
};

NDArray ReadBytes(const std::string& path, int ndim, const char* what) {
  NDArray a = ReadIdx(path);
  if (a->dtype != DType::kUint8 || a->shape.ndim() != ndim)
    FailFile(Status::kFormat, path, 2, Text("expected ", what, ": uint8 with ", ndim, ndim == 1 ? " axis" : " axes", ", given ", Describe(*a), "."));
  return a;
}

Ref<Iter> Create(const Attrs& attrs, const std::vector<NDArray>&, const std::vector<std::string>&) {
  auto& a = *static_cast<const MnistAttrs*>(attrs.get());
  RowField images, labels;
  images.name = "data", labels.name = "label";
  images.from = ReadBytes(a.image, 3, "images");
  labels.from = ReadBytes(a.label, 1, "labels");
  int64_t n = images.from->shape[0], rows = images.from->shape[1], columns = images.from->shape[2];
  if (labels.from->shape[0] != n)
    FailFile(Status::kFormat, a.label, 4, Text("expected a label for each of the ", n, " images of ", a.image, ", given ", labels.from->shape[0], "."));
  images.row = a.flat ? Shape{rows * columns} : Shape{1, rows, columns};
  images.scale = 1.0 / 256, labels.scale = 1;
  if (!a.silent) Log(LogLevel::kInfo, "MNISTIter: ", n, " images of ", rows, " x ", columns, " from ", a.image);
  RowPlan plan;
  plan.batch_size = a.batch_size, plan.shuffle = a.shuffle, plan.seed = uint64_t(a.seed), plan.last = LastBatch::kDrop;
  plan.part = a.part_index, plan.parts = a.num_parts;
  return MakeRowIter("MNISTIter", {std::move(images), std::move(labels)}, plan);
}

}  // namespace

IterDef MnistIterDef() {
  using A = MnistAttrs;
  return Define<IterDef, A>("MNISTIter")
      .family("iter")
      .doc(
          "Images and labels of MNIST's IDX files, plain or gzip-compressed. `data` is float32 (batch, 1, rows, columns), or (batch, rows * columns) when flat, "
          "each pixel divided by 256; `label` is float32 (batch,). Rows at the end that fill no batch are left out. Each epoch is shuffled anew, which "
          "MNISTIter of MXNet does once.")
      .attr(&A::image, "image", "File of the images.")
      .attr(&A::label, "label", "File of the labels.")
      .attr(&A::batch_size, "batch_size", "Images in a batch.").at_least(1)
      .attr(&A::shuffle, "shuffle", "Whether each epoch takes the images in an order of its own, which the seed and the epoch's number give.")
      .attr(&A::flat, "flat", "Whether an image is a vector.")
      .attr(&A::seed, "seed", "Seed of the orders.").at_least(0)
      .attr(&A::silent, "silent", "Whether to log nothing.")
      .attr(&A::num_parts, "num_parts", "How many parts the epoch is cut into, for training on several machines with one seed.").at_least(1)
      .attr(&A::part_index, "part_index", "Which part to give.").at_least(0)
      .example("MNISTIter(image=train-images-idx3-ubyte.gz, label=train-labels-idx1-ubyte.gz, batch_size=64)")
      .with(&IterDef::create, &Create);
}

}  // namespace flx
