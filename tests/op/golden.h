// SPDX-License-Identifier: Apache-2.0
// Golden cases: MXNet 1.9.1's answers under tests/golden (its README gives the format), read and run against our operators.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "tensor/shape.h"

namespace flx::golden {

struct Line {
  std::string word;
  std::vector<std::pair<std::string, std::string>> fields;  // in the file's order
  bool has(std::string_view key) const;
  const std::string& get(std::string_view key) const;       // an error naming the key if it is missing
};
struct Case {
  std::string family;
  std::vector<Line> lines;
  const std::string& id() const { return lines[0].get("id"); }
  const std::string& kind() const { return lines[0].get("kind"); }
  const Line* Find(std::string_view word) const;            // the first line of that kind, or null
  std::string note() const;                                 // all notes, one after another
};
// An array as stored, made dense if it was not.
struct Stored {
  DType dtype = DType::kFloat32;
  Shape shape;
  std::string bytes;
  double rtol = 0, atol = 0;
  bool sparse = false;
};

class Folder {
 public:
  explicit Folder(std::string path) : path_(std::move(path)) {}
  std::vector<Case> Read(const std::string& family);
  Stored Load(const Case& c, const Line& line);
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::map<std::string, std::string> bins_;  // whole .bin files by family
};

enum class Outcome { kPassed, kDiffers, kMissing, kFailed };  // kDiffers: on purpose; kMissing: the operator or a feature is not there yet
struct Verdict {
  Outcome outcome = Outcome::kPassed;
  std::string text;  // what failed, why it differs, or what is missing
};
std::string OperatorOf(const Case& c);
using Pairs = std::vector<std::pair<std::string, std::string>>;
Pairs AttributesOf(const Folder& folder, const Case& c);  // as the operator is given them
int ModeOf(const Case& c);                                // bits of the ABI's mode
double AllowedDifference(const Case& c);                  // absolute, by its note; 0: none
Verdict Run(Folder* folder, const Case& c);

// Compares in the stored dtype; "" if equal within the tolerance, else what differs, where and by how much.
std::string Compare(const std::string& what, const Stored& want, DType dtype, const Shape& shape, const void* got);

// Where Flexor differs from MXNet on purpose. `prefix` is a case id, or the beginning of some up to a '/'; `part` is the array that is not compared
// ("out 0", "grad data", "after gamma"), or empty: the whole case.
struct Difference {
  const char *prefix, *part, *reason;
  bool Covers(const Case& c) const;
};
const std::vector<Difference>& Differences();

// Writes the cases that need nothing but arrays as tables for other languages, as each operator is to be called: tests/bindings/shared/README.md.
bool Export(Folder* folder, const std::vector<Case>& cases, const std::string& file);

}  // namespace flx::golden
