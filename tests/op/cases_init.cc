// SPDX-License-Identifier: Apache-2.0
#include "cases.h"

namespace flx::cases {

void AddInitCases(std::vector<Case>* c) {
  for (const char* op : {"_zeros", "_ones"}) {
    c->push_back({op, {}, {{"shape", "(2, 3)"}}});
    c->push_back({op, {}, {{"shape", "(0,)"}, {"dtype", "int64"}}});
  }
  c->push_back({"_full", {}, {{"shape", "(2, 3)"}, {"value", "2.5"}, {"dtype", "float64"}}});
  c->push_back({"_arange", {}, {{"start", "1"}, {"stop", "4"}, {"step", "0.5"}, {"repeat", "2"}}});
  c->push_back({"_arange", {}, {{"start", "5"}}});
  c->push_back({"_linspace", {}, {{"start", "1"}, {"stop", "4"}, {"num", "5"}}});
  c->push_back({"_eye", {}, {{"N", "3"}, {"M", "4"}, {"k", "1"}}});
}

}  // namespace flx::cases
