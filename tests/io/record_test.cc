// SPDX-License-Identifier: Apache-2.0
// RecordIO, over dmlc-core's streams and over stdio: this file is built for both.
#include "io/record.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "../interop/hostile.h"
#include "../op/golden.h"
#include "io/bytes.h"

namespace flx {
namespace {

using hostile::Slurp;
using hostile::Spill;
const std::string kGolden = std::string(FLEXOR_TEST_DATA) + "/golden/";
constexpr const char* kMagic = "\x0a\x23\xd7\xce";

struct Temporary {
  Temporary() : path(testing::TempDir() + "record." + Text(int64_t(getpid())) + ".rec") {}
  ~Temporary() { unlink(path.c_str()); }
  std::string path;
};
std::vector<std::string> ReadAll(const std::string& path) {
  auto f = RecordFile::Open(path, "read");
  std::vector<std::string> all;
  for (std::string r; f->Read(&r);) all.push_back(r);
  return all;
}
void WriteAll(const std::string& path, const std::vector<std::string>& records, const char* access = "write") {
  auto f = RecordFile::Open(path, access);
  for (auto& r : records) f->Write(r);
  f->Close();
}

TEST(Record, Golden) {
  golden::Folder folder(kGolden);
  Temporary t;
  int n = 0;
  for (auto& c : folder.Read("recordio")) {
    SCOPED_TRACE(c.id());
    ++n;
    std::string rec, idx;
    std::vector<std::string> want, bodies;
    std::vector<const golden::Line*> headers;
    RecordIndex index;
    for (auto& l : c.lines) {
      if (l.word == "file") (l.get("role") == "rec" ? rec : idx) = kGolden + l.get("path");
      if (l.word == "header") headers.push_back(&l);
      if (l.word == "body") bodies.push_back(folder.Load(c, l).bytes);
      if (l.word != "record") continue;
      want.push_back(folder.Load(c, l).bytes);
      int64_t key, offset;
      if (l.has("key") && ParseInt(l.get("key"), &key) && ParseInt(l.get("offset"), &offset)) index.emplace_back(key, offset);
    }
    EXPECT_EQ(ReadAll(rec), want);
    auto out = RecordFile::Open(t.path, "write");
    std::vector<int64_t> offsets;
    for (auto& r : want) offsets.push_back(out->Write(r));
    EXPECT_EQ(out->Tell(), int64_t(std::filesystem::file_size(rec)));
    out->Close();
    EXPECT_EQ(Slurp(t.path), Slurp(rec));
    auto in = RecordFile::Open(rec, "read");
    for (size_t i = want.size(); i-- > 0;) {  // backwards: each is found without the others
      std::string r;
      in->Seek(offsets[i]);
      ASSERT_TRUE(in->Read(&r));
      EXPECT_EQ(r, want[i]);
      EXPECT_EQ(in->Tell(), i + 1 < want.size() ? offsets[i + 1] : int64_t(std::filesystem::file_size(rec)));
    }
    if (!idx.empty()) {
      EXPECT_EQ(ReadRecordIndex(idx), index);
      for (size_t i = 0; i < index.size(); ++i) EXPECT_EQ(index[i].second, offsets[i]);
      WriteRecordIndex(t.path, index);
      EXPECT_EQ(Slurp(t.path), Slurp(idx));
    }
    ASSERT_EQ(headers.size(), bodies.size());
    for (size_t i = 0; i < headers.size(); ++i) {
      PackedRecord p = UnpackRecord(want[i]);
      int64_t flag, id, id2;
      ASSERT_TRUE(ParseInt(headers[i]->get("flag"), &flag) && ParseInt(headers[i]->get("id"), &id) && ParseInt(headers[i]->get("id2"), &id2));
      EXPECT_EQ(int64_t(p.labels.size()), flag);
      EXPECT_EQ(p.id, uint64_t(id));
      EXPECT_EQ(p.id2, uint64_t(id2));
      std::vector<float> labels;
      for (auto& s : Split(headers[i]->get("labels"), ',')) {
        double v;
        ASSERT_TRUE(ParseDouble(s, &v));
        labels.push_back(float(v));
      }
      EXPECT_EQ(p.labels.empty() ? std::vector<float>{p.label} : p.labels, labels);
      EXPECT_EQ(p.body, bodies[i]);
      EXPECT_EQ(PackRecord(p), want[i]);
    }
  }
  EXPECT_EQ(n, 5);
}

TEST(Record, AppendsAndReadsLargeRecordsWithMagicNumbers) {
  Temporary t;
  std::string large(300000, 'x');
  for (size_t at : {size_t(0), size_t(4), size_t(1001), size_t(131072), size_t(299996)}) large.replace(at, 4, kMagic);
  std::vector<std::string> a = {"one", "", large}, b = {std::string(kMagic) + kMagic, "last"};
  WriteAll(t.path, a);
  auto size = std::filesystem::file_size(t.path);
  auto f = RecordFile::Open(t.path, "append");
  EXPECT_EQ(f->Write(b[0]), int64_t(size));
  f->Write(b[1]);
  f->Close();
  a.insert(a.end(), b.begin(), b.end());
  EXPECT_EQ(ReadAll(t.path), a);
  WriteAll(t.path, {"x"});
  EXPECT_EQ(ReadAll(t.path), std::vector<std::string>{"x"});
  unlink(t.path.c_str());
  WriteAll(t.path, {"new"}, "append");
  EXPECT_EQ(ReadAll(t.path), std::vector<std::string>{"new"});
  std::string link = t.path + ".link";
  std::filesystem::create_symlink(t.path, link);
  EXPECT_EQ(ReadAll(link), std::vector<std::string>{"new"});
  unlink(link.c_str());
}

TEST(Record, PartsCoverTheFileOnce) {
  Temporary t;
  std::vector<std::string> all;
  for (int i = 0; i < 100; ++i) {
    std::string r = Text("record ", i, " ") + std::string(size_t(i * 37 % 200), 'a');
    if (i % 3 == 0) r.replace(r.size() / 4 * 4 - 4, 4, kMagic);
    all.push_back(r);
  }
  all.push_back(std::string(200000, 'b'));  // longer than a search block and than most parts
  WriteAll(t.path, all);
  for (int parts : {1, 2, 3, 7, 64, 1000}) {
    std::vector<std::string> got;
    auto f = RecordFile::Open(t.path, "read");
    for (int p = 0; p < parts; ++p) {
      f->SetPart(p, parts);
      for (std::string r; f->Read(&r);) got.push_back(r);
    }
    EXPECT_EQ(got, all) << parts;
  }
  auto f = RecordFile::Open(t.path, "read");
  EXPECT_EQ(ErrorOf([&] { f->SetPart(2, 2); }).status(), Status::kArgument);
  EXPECT_EQ(ErrorOf([&] { f->SetPart(0, 0); }).status(), Status::kArgument);
}

TEST(Record, Hostile) {
  Temporary t;
  WriteAll(t.path, {"abc", std::string("abcdabcd") + kMagic + "efg", ""});
  std::string bytes = Slurp(t.path);
  ASSERT_EQ(bytes.size(), 12u + 16 + 12 + 8);
  auto parse = [&](const std::string& b) {
    Spill(t.path, b);
    ReadAll(t.path);
  };
  hostile::EveryCut(bytes, parse, {0, 12, 40});
  hostile::EveryLength(bytes, parse, {{0, 4}, {12, 4}, {28, 4}, {40, 4}, {16, 4}, {32, 4}, {44, 4}});
  hostile::EveryPlace(bytes, parse);
  // a damaged record is reported at its place, again and again, and the next can still be read
  std::string bad = bytes;
  bad[12] = 0;
  Spill(t.path, bad);
  auto f = RecordFile::Open(t.path, "read");
  std::string r;
  EXPECT_TRUE(f->Read(&r));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(ErrorOf([&] { f->Read(&r); }).offset, 12);
  EXPECT_EQ(f->Tell(), 12);
  f->Seek(40);
  EXPECT_TRUE(f->Read(&r));
  EXPECT_FALSE(f->Read(&r));
}

TEST(Record, HostileHeadersOfPackedRecords) {
  PackedRecord p;
  p.labels = {1, 2}, p.id = 7, p.body = "image";
  std::string bytes = PackRecord(p);
  auto parse = [](const std::string& b) { UnpackRecord(b); };
  for (size_t n = 0; n < 32; ++n) EXPECT_NE(hostile::Outcome(bytes.substr(0, n), parse, Text(n)), "");
  for (uint64_t v : hostile::Values()) {
    if (v >> 32 || v <= 3) continue;
    std::string bad = bytes;
    std::memcpy(bad.data(), &v, 4);
    EXPECT_NE(hostile::Outcome(bad, parse, Text(v)), "");
  }
}

TEST(Record, WhatCannotBeOpenedOrUsed) {
  Temporary t;
  for (auto* access : {"read", "write", "append"}) {
    Error e = ErrorOf([&] { RecordFile::Open("/nonexistent/x.rec", access); });  // dmlc-core throws its own error here
    EXPECT_EQ(e.status(), Status::kFile) << access;
    EXPECT_EQ(e.file, "/nonexistent/x.rec");
    EXPECT_EQ(e.message().find("/nonexistent/x.rec: "), 0u) << e.message();
    EXPECT_NE(e.message().find("No such file or directory"), std::string::npos) << e.message();
    EXPECT_EQ(e.message().find("Stack trace"), std::string::npos) << e.message();
    EXPECT_EQ(e.message().find('\n'), std::string::npos) << e.message();
    EXPECT_EQ(ErrorOf([&] { RecordFile::Open("/", access); }).status(), Status::kFile) << access;
  }
  EXPECT_EQ(ErrorOf([&] { RecordFile::Open(t.path, "rw"); }).status(), Status::kArgument);
  WriteAll(t.path, {"abc"});
  auto in = RecordFile::Open(t.path, "read"), out = RecordFile::Open(t.path + "2", "write");
  std::string r;
  EXPECT_EQ(ErrorOf([&] { in->Write("x"); }).status(), Status::kState);
  EXPECT_EQ(ErrorOf([&] { out->Read(&r); }).status(), Status::kState);
  EXPECT_EQ(ErrorOf([&] { out->Seek(0); }).status(), Status::kState);
  EXPECT_EQ(ErrorOf([&] { in->Seek(13); }).status(), Status::kIndex);
  EXPECT_EQ(ErrorOf([&] { in->Seek(-1); }).status(), Status::kIndex);
  EXPECT_EQ(ErrorOf([&] { out->Write(nullptr, RecordFile::kMaxRecord + 1); }).status(), Status::kArgument);
  in->Close(), out->Close(), out->Close();
  EXPECT_EQ(ErrorOf([&] { in->Read(&r); }).status(), Status::kState);
  unlink((t.path + "2").c_str());
  auto full = RecordFile::Open("/dev/full", "write");
  EXPECT_EQ(ErrorOf([&] { full->Write("abc"); full->Close(); }).status(), Status::kFile);
  Spill(t.path, "abc");
  EXPECT_EQ(ErrorOf([&] { RecordFile::Open(t.path, "append"); }).status(), Status::kFormat);
  Spill(t.path, "1\t2\n3 4\n");
  Error e = ErrorOf([&] { ReadRecordIndex(t.path); });
  EXPECT_EQ(e.offset, 4);
  EXPECT_NE(e.message().find("line 2"), std::string::npos);
#ifdef FLEXOR_WITH_DMLC
  EXPECT_EQ(ErrorOf([&] { RecordFile::Open("s3://bucket/x.rec", "read"); }).status(), Status::kFile);
  WriteAll("file://" + t.path, {"by URI"});
  EXPECT_EQ(ReadAll("file://" + t.path), std::vector<std::string>{"by URI"});
#endif
}

}  // namespace
}  // namespace flx
