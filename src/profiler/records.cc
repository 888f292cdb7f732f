// SPDX-License-Identifier: Apache-2.0
// Facts as bytes: a tag, then what it says. Sizes of axes are numbers of seven bits a byte, the lowest first.
#include <cstring>

#include "profiler/internals.h"

namespace flx {
namespace {
constexpr char kInputTag = 'i', kOutputTag = 'o', kNumberTag = 'f', kNameTag = 'n', kCategoryTag = 'c', kCutTag = '+';
constexpr size_t kLongestText = 120;

int PutSize(unsigned char* to, int64_t value) {
  auto v = uint64_t(value);
  int n = 0;
  for (; v > 127; v >>= 7) to[n++] = static_cast<unsigned char>(v | 128);
  to[n++] = static_cast<unsigned char>(v);
  return n;
}
int64_t GetSize(const unsigned char** at) {
  uint64_t v = 0;
  for (int shift = 0;; shift += 7) {
    uint64_t b = *(*at)++;
    v |= (b & 127) << shift;
    if (b < 128) return int64_t(v);
  }
}
}  // namespace

bool ProfileFacts::Room(int n) noexcept {
  if (cut_) return false;
  if (size_ + n < int(sizeof bytes_)) return true;  // a byte is left for the mark that something is missing
  cut_ = true;
  bytes_[size_++] = kCutTag;
  return false;
}
void ProfileFacts::Array(bool output, DType t, const int64_t* dims, int ndim) noexcept {
  unsigned char room[3 + 10 * 32];
  int n = 0;
  room[n++] = static_cast<unsigned char>(output ? kOutputTag : kInputTag);
  room[n++] = static_cast<unsigned char>(t);
  room[n++] = static_cast<unsigned char>(ndim);
  for (int i = 0; i < ndim; ++i) n += PutSize(room + n, dims[i]);
  if (!Room(n)) return;
  std::memcpy(bytes_ + size_, room, size_t(n));
  size_ += n;
}
void ProfileFacts::Number(const char* key, int64_t value) noexcept {
  if (!Room(17)) return;
  bytes_[size_] = kNumberTag;
  std::memcpy(bytes_ + size_ + 1, &key, 8);
  std::memcpy(bytes_ + size_ + 9, &value, 8);
  size_ += 17;
}
void ProfileFacts::Text(char tag, std::string_view text) noexcept {
  size_t n = text.size();
  if (n > kLongestText)  // not through a character
    for (n = kLongestText; n > kLongestText - 4 && (static_cast<unsigned char>(text[n]) & 0xc0) == 0x80;) --n;
  if (!Room(int(n) + 2)) return;
  bytes_[size_] = static_cast<unsigned char>(tag), bytes_[size_ + 1] = static_cast<unsigned char>(n);
  if (n) std::memcpy(bytes_ + size_ + 2, text.data(), n);
  size_ += int(n) + 2;
}
void ProfileFacts::Name(std::string_view text) noexcept { Text(kNameTag, text); }
void ProfileFacts::Category(std::string_view text) noexcept { Text(kCategoryTag, text); }

bool FactReader::Next(ProfileFact* f) {
  if (at_ >= end_) return false;
  char tag = char(*at_++);
  switch (tag) {
    case kInputTag:
    case kOutputTag: {
      f->what = tag == kInputTag ? ProfileFact::kInput : ProfileFact::kOutput;
      f->dtype = DType(static_cast<signed char>(*at_++));
      f->dims.resize(*at_++);
      for (int64_t& d : f->dims) d = GetSize(&at_);
      return true;
    }
    case kNumberTag:
      f->what = ProfileFact::kNumber;
      std::memcpy(&f->key, at_, 8), std::memcpy(&f->number, at_ + 8, 8);
      at_ += 16;
      return true;
    case kNameTag:
    case kCategoryTag:
      f->what = tag == kNameTag ? ProfileFact::kName : ProfileFact::kCategory;
      f->text = {reinterpret_cast<const char*>(at_ + 1), *at_};
      at_ += 1 + *at_;
      return true;
    default: f->what = ProfileFact::kCut; return true;
  }
}

RecordTitle TitleOf(const ProfileRecord& r) {
  RecordTitle t{r.name ? std::string_view(r.name) : std::string_view(), ProfileKindInfo(r.kind).category};
  ProfileFact f;
  if (!r.name)  // a name that is given comes first, and its category behind it
    for (FactReader facts(r); facts.Next(&f) && (f.what == ProfileFact::kName || f.what == ProfileFact::kCategory);)
      (f.what == ProfileFact::kName ? t.name : t.category) = f.text;
  return t;
}

}  // namespace flx
