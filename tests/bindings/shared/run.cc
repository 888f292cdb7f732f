// SPDX-License-Identifier: Apache-2.0
// The shared cases by the C++ API. README.md says what each command does.
#include <flexor/flexor.hpp>

#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>

#include "cases.h"

namespace {
using namespace flexor;
namespace fs = std::filesystem;

const std::string& Folder() {  // of this run
  static const std::string folder = [] {
    char name[] = "/tmp/shared_cc_XXXXXX";
    if (!mkdtemp(name)) throw std::runtime_error("no folder for files");
    return std::string(name);
  }();
  return folder;
}
std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  if (auto at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}
DType DTypeOf(const std::string& name) {
  for (int32_t i = 0; i <= FLX_BFLOAT16; ++i)
    if (name == dtype_name(DType(i))) return DType(i);
  throw std::runtime_error("no dtype is called " + name);
}
Shape ShapeOf(const char* text) {
  int64_t dims[FLX_MAX_NDIM];
  int n = table_shape(text, dims);
  return Shape(std::vector<int64_t>(dims, dims + n));
}
Options Settings(const line& l) {  // all fields but the first
  Options o;
  for (int i = 1; i < l.count; ++i) o.set(l.keys[i], l.values[i]);
  return o;
}
Layer Network(const table_case& c) {
  Layer net("Sequential");
  for (int i = 0; i < c.count; ++i)
    if (std::string(c.lines[i].word) == "layer") net.add(Layer(table_get(&c.lines[i], "kind", ""), Settings(c.lines[i])));
  return net;
}

// ---- errors
void BadCall(const table_case& c) {
  const line* call = table_find(&c, "call");
  std::string what = table_get(call, "what", ""), name = table_get(call, "name", ""), file = Folder() + "/" + table_get(call, "file", "none");
  Options options;
  std::vector<NDArray> arrays;
  for (int i = 0; i < c.count; ++i) {
    const line& l = c.lines[i];
    if (std::string(l.word) == "attr") options.set(l.keys[0], Replaced(l.values[0], "{folder}", Folder()));
    if (std::string(l.word) == "in") arrays.push_back(zeros(ShapeOf(table_get(&l, "shape", "-")), DTypeOf(table_get(&l, "dtype", "float32"))));
  }
  if (const char* text = table_get(call, "text", nullptr); text && fs::path(file).filename() != "none") std::ofstream(file) << text;
  const std::map<std::string, std::function<void()>> calls = {
      {"operator", [&] { invoke(name.c_str(), arrays, options); }},
      {"layer", [&] { Layer(name, options); }},
      {"optimizer", [&] { Optimizer(name, options); }},
      {"schedule", [&] { Schedule(name, options); }},
      {"initializer", [&] { Initializer(name, options); }},
      {"metric", [&] { Metric(name, options); }},
      {"iter", [&] { Iter(name, options); }},
      {"batches", [&] { Iter::from_arrays(arrays, {"data", "label"}, {{"batch_size", table_get(call, "batch_size", "")}}); }},
      {"summary", [&] { Network(c).summary({{"data", table_get(call, "input", "")}}); }},
      {"zeros", [&] {
         if (!table_get(call, "device", nullptr)) return void(zeros(ShapeOf(table_get(call, "shape", "-"))));
         flx_ndarray h = nullptr;  // the C++ API knows one device so far
         Shape s = ShapeOf(table_get(call, "shape", "-"));
         check(flx_ndarray_create(s.data(), s.ndim(), FLX_FLOAT32, table_get(call, "device", nullptr), &h));
       }},
      {"item", [&] { arrays[0].item(); }},
      {"attach", [&] { arrays[0].attach_grad(); }},
      {"backward", [&] { arrays[0].backward(); }},
      {"load_model", [&] { Model::load(file); }},
      {"load_arrays", [&] { Params::load(file); }},
      {"symbol_json", [&] { Symbol::from_json(table_get(call, "text", "")); }},
      {"config", [&] { check(flx_config_set(table_get(call, "key", ""), table_get(call, "value", ""))); }},
  };
  calls.at(what)();
}
const char* ClassOf(const Error& e) {
#define ONE(Class, status) if (dynamic_cast<const Class*>(&e)) return status
  ONE(ArgumentError, "ARGUMENT");
  ONE(TypeError, "TYPE");
  ONE(ShapeError, "SHAPE");
  ONE(IndexError, "INDEX");
  ONE(NameError, "NAME");
  ONE(HandleError, "HANDLE");
  ONE(UnsupportedError, "UNSUPPORTED");
  ONE(MemoryError, "MEMORY");
  ONE(FileError, "FILE");
  ONE(FormatError, "FORMAT");
  ONE(DeviceError, "DEVICE");
  ONE(NetworkError, "NETWORK");
  ONE(HostError, "HOST");
  ONE(StateError, "STATE");
  ONE(InternalError, "INTERNAL");
  ONE(RolledBackError, "ROLLED_BACK");
#undef ONE
  return "ERROR";
}
bool Fits(const std::string& text, const std::string& want) {
  auto gap = want.find("{any}");
  if (gap == std::string::npos) return text == want;
  std::string tail = want.substr(gap + 5);
  return text.size() >= gap + tail.size() && text.compare(0, gap, want, 0, gap) == 0 && text.compare(text.size() - tail.size(), tail.size(), tail) == 0;
}
// "" if the call fails as it must.
std::string ErrorCase(const table_case& c) {
  const line* want = table_find(&c, "error");
  try {
    BadCall(c);
    return "nothing failed";
  } catch (const Error& e) {
    if (std::string(ClassOf(e)) != table_get(want, "status", "")) return std::string("class of ") + ClassOf(e);
    if (!Fits(Replaced(e.what(), Folder(), "{folder}"), table_get(want, "text", ""))) return e.what();
  }
  for (const char* field : {"kind", "operator", "node", "hint", "offset", "file"})
    if (Replaced(flx_last_error_field(field), Folder(), "{folder}") != table_get(want, field, "")) return std::string("field ") + field + " is " + flx_last_error_field(field);
  return "";
}

// ---- values
template <class T> bool SameBytes(const std::string& bytes, const Shape& shape, DType dtype) {
  auto n = size_t(shape.size());
  if (n * sizeof(T) != bytes.size()) return false;
  std::unique_ptr<T[]> v(new T[n]), rows(new T[n]), columns(new T[n]), last(new T[n]);
  std::memcpy(v.get(), bytes.data(), bytes.size());
  NDArray a(v.get(), shape, dtype);
  if (a.dtype() != dtype || a.shape() != shape) return false;
  a.copy_to(rows.get(), int64_t(n));
  a.copy_to(columns.get(), int64_t(n), Order::column_major);
  NDArray(columns.get(), shape, dtype, Order::column_major).copy_to(last.get(), int64_t(n));
  return !std::memcmp(rows.get(), bytes.data(), bytes.size()) && !std::memcmp(last.get(), bytes.data(), bytes.size());
}
std::string ValueCase(const table_case& c) {
  const line* l = table_find(&c, "array");
  Shape shape = ShapeOf(table_get(l, "shape", "-"));
  std::string hex = table_get(l, "bytes", ""), bytes;
  for (size_t i = 0; i < hex.size(); i += 2) bytes += char(std::stoi(hex.substr(i, 2), nullptr, 16));
  bool same = true;
  switch (DType t = DTypeOf(table_get(l, "dtype", ""))) {
    case DType::float32: same = SameBytes<float>(bytes, shape, t); break;
    case DType::float64: same = SameBytes<double>(bytes, shape, t); break;
    case DType::uint8: same = SameBytes<uint8_t>(bytes, shape, t); break;
    case DType::int32: same = SameBytes<int32_t>(bytes, shape, t); break;
    case DType::int8: same = SameBytes<int8_t>(bytes, shape, t); break;
    case DType::int64: same = SameBytes<int64_t>(bytes, shape, t); break;
    case DType::boolean: same = SameBytes<bool>(bytes, shape, t); break;
    case DType::int16: same = SameBytes<int16_t>(bytes, shape, t); break;
    case DType::uint16: same = SameBytes<uint16_t>(bytes, shape, t); break;
    case DType::uint32: same = SameBytes<uint32_t>(bytes, shape, t); break;
    case DType::uint64: same = SameBytes<uint64_t>(bytes, shape, t); break;
    case DType::float16: case DType::bfloat16: {  // C++17 has no such numbers: their values go in and out as float
      std::vector<float> v;
      std::string list = table_get(l, "values", "");
      for (size_t from = 0, to; from < list.size(); from = to + 1) {
        to = std::min(list.find(',', from), list.size());
        v.push_back(float(std::strtod(list.substr(from, to - from).c_str(), nullptr)));
      }
      NDArray a(v, shape, t);
      std::vector<float> back = a.to_vector<float>();
      same = a.dtype() == t && back.size() == v.size();
      for (size_t i = 0; same && i < v.size(); ++i) same = back[i] == v[i] || (back[i] != back[i] && v[i] != v[i]);
    }
  }
  return same ? "" : "the bytes differ";
}

// ---- the same bits
std::vector<NDArray> Digits(const std::string& folder, const std::string& part, int64_t count) {
  Iter it("MNISTIter", {{"image", folder + "/" + part + "-images-idx3-ubyte.gz"}, {"label", folder + "/" + part + "-labels-idx1-ubyte.gz"},
                        {"batch_size", count}, {"shuffle", false}, {"silent", true}});
  if (!it.next()) throw std::runtime_error("no digits in " + folder);
  return it.arrays();
}
void Fit(const table_case& c, const std::string& digits, const std::string& out) {
  const line *head = &c.lines[0], *optimizer = table_find(&c, "optimizer");
  Iter train = Iter::from_arrays(Digits(digits, "train", std::atoll(table_get(head, "samples", ""))), {"data", "label"}, {{"batch_size", table_get(head, "batch_size", "")}});
  Model model(Network(c));
  fit(model, Layer(table_word(&c, "loss", "kind")), Optimizer(optimizer->values[0], Settings(*optimizer)), train, {},
      {{"epochs", table_get(head, "epochs", "")}, {"seed", table_get(head, "seed", "")}});
  model.save(out + "/" + table_get(head, "id", "") + ".flx");
}
void Predict(const std::string& path, const std::string& digits, const std::string& out) {
  Model model = Model::load(path);
  std::vector<float> scores = model(Digits(digits, "test", 10)[0]).to_vector<float>();
  std::string base = out + "/" + fs::path(path).filename().string();
  std::ofstream(base + ".scores", std::ios::binary).write(reinterpret_cast<const char*>(scores.data()), std::streamsize(scores.size() * sizeof(float)));
  model.save(base + ".flx");
}

int Cases(const char* path, std::string (*run)(const table_case&)) {
  table t = table_read(path);
  int passed = 0, failed = 0;
  for (int i = 0; i < t.count; ++i) {
    std::string wrong = run(t.cases[i]);
    if (!wrong.empty()) std::cout << "FAILED " << table_word(&t.cases[i], "case", "id") << ": " << wrong << "\n";
    ++(wrong.empty() ? passed : failed);
  }
  std::cout << passed << " passed, " << failed << " failed\n";
  table_free(&t);
  return failed > 0;
}
}  // namespace

int main(int argc, char** argv) {
  std::string command = argc > 1 ? argv[1] : "";
  try {
    if (command == "errors" && argc == 3) {
      int result = Cases(argv[2], ErrorCase);
      fs::remove_all(Folder());
      return result;
    }
    if (command == "values" && argc == 3) return Cases(argv[2], ValueCase);
    if (command == "fit" && argc == 5) {
      table t = table_read(argv[2]);
      for (int i = 0; i < t.count; ++i) Fit(t.cases[i], argv[3], argv[4]);
      table_free(&t);
      return 0;
    }
    if (command == "predict" && argc > 4) {
      for (int i = 4; i < argc; ++i) Predict(argv[i], argv[2], argv[3]);
      return 0;
    }
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
  std::cerr << "usage: run_cc errors TABLE | values TABLE | fit TABLE DIGITS OUT | predict DIGITS OUT MODEL...\n";
  return 2;
}
