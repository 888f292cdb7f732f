// SPDX-License-Identifier: Apache-2.0
// Two copies of the library in one process, as two packages may each bring one: each has handles, threads, options and random streams of its own.
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "library.h"

namespace {

void SideBySide(Library& one, Library& two, bool at_once) {
  ASSERT_NE(reinterpret_cast<void*>(one.flx_abi_version), reinterpret_cast<void*>(two.flx_abi_version));
  // both at once, the same bits
  std::string first, second;
  auto fits = [&] { for (int i = 0; i < 3; ++i) second = two.Fit(2); };
  if (!at_once) fits();
  std::thread other([&] { if (at_once) fits(); });
  for (int i = 0; i < 3; ++i) first = one.Fit(2);
  other.join();
  EXPECT_FALSE(first.empty());
  EXPECT_EQ(first, second);
  // options of its own
  char* text = nullptr;
  one.Ok(one.flx_config_set("FLEXOR_ENGINE_INLINE_US", "12"), "flx_config_set");
  two.Ok(two.flx_config_get("FLEXOR_ENGINE_INLINE_US", &text), "flx_config_get");
  EXPECT_STREQ(text, "30");
  two.flx_text_free(text);
  // a handle of the other's is a handle error
  int64_t live = -1;
  flx_ndarray a = nullptr;
  for (int i = 0; i < 1000; ++i) a = one.Full({3}, 1);  // so that its number means nothing there
  double value = 0;
  int32_t ready = 0;
  EXPECT_EQ(two.flx_ndarray_item(a, -1, &ready, &value), FLX_ERROR_HANDLE);
  two.flx_free(a);
  EXPECT_EQ(one.Read(a, 3)[2], 1) << "the other copy cannot free it";
  two.Ok(two.flx_handle_live("ndarray", &live), "flx_handle_live");
  EXPECT_EQ(live, 0);
  // one stops, the other goes on
  one.Stop();
  EXPECT_FALSE(ThreadNames().empty());
  EXPECT_EQ(two.Fit(2), first);
  two.Stop();
  EXPECT_TRUE(ThreadNames().empty());
  one.Close();
  EXPECT_EQ(two.Fit(2), first);
}

TEST(Copies, WorkSideBySide) {
  Folder folder;
  std::filesystem::copy_file(FLEXOR_LIBRARY, folder / "libother.so");
  Alone([&] {
    Library one, two(folder / "libother.so");
    SideBySide(one, two, true);
  });
}
// Its C library is its own too, and glibc's copies share a thread's table of pthread keys without knowing of each other: a thread that uses both of them
// may not end. So only the first thread does.
TEST(Copies, InALinkMapOfItsOwn) {
  Alone([&] {
    Library one, two(FLEXOR_LIBRARY, true);
    SideBySide(one, two, false);
  });
}
TEST(Copies, ManyCanBeLoaded) {  // thread-local memory for libraries loaded late is scarce
  Folder folder;
  for (int i = 0; i < 3; ++i) std::filesystem::copy_file(FLEXOR_LIBRARY, folder / ("lib" + std::to_string(i) + ".so"));
  Alone([&] {
    for (int i = 0; i < 3; ++i) {
      Library copy(folder / ("lib" + std::to_string(i) + ".so"));
      EXPECT_EQ(copy.Read(copy.Full({3}, 2), 3)[1], 2);
    }
  });
}

}  // namespace
