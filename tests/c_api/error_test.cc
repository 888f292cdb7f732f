// SPDX-License-Identifier: Apache-2.0
// The C++ API: errors are exceptions of their class, with the library's message; options become MXNet's texts.
#include <gtest/gtest.h>

#include "flexor/flexor.hpp"

using namespace flexor;

namespace {
template <class E, class F> std::string MessageOf(F f) {
  try {
    f();
  } catch (const E& e) {
    const std::runtime_error& base = e;
    return base.what();
  }
  return "nothing was thrown";
}
bool Has(const std::string& s, const char* part) { return s.find(part) != std::string::npos; }
}  // namespace

TEST(CppError, ClassesFollowStatuses) {
  NDArray a = ones({2, 3}), none;
  std::string m = MessageOf<ShapeError>([&] { a.dot(a); });
  EXPECT_TRUE(Has(m, "[dot]") && Has(m, "(2, 3)")) << m;
  EXPECT_TRUE(Has(MessageOf<NameError>([&] { invoke("rellu", {a}); }), "relu"));
  EXPECT_TRUE(Has(MessageOf<ArgumentError>([&] { invoke("softmax", {a}, {{"axis", "left"}}); }), "axis"));
  EXPECT_TRUE(Has(MessageOf<HandleError>([&] { none.shape(); }), "array"));
  EXPECT_TRUE(Has(MessageOf<FileError>([&] { Model::load("/no/such/model.flx"); }), "/no/such/model.flx"));
  EXPECT_THROW(Model::from_bytes("rubbish"), FormatError);
  EXPECT_THROW(ones({2}).astype(DType::int32).attach_grad(), TypeError);
  EXPECT_THROW(a.backward(), StateError);
  EXPECT_THROW(Layer("Dense").add(Layer("Flatten")), Error);
  EXPECT_THROW(check(flx_abi_require(1 << 20)), UnsupportedError);
  try {
    a + ones({5});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), FLX_ERROR_SHAPE);
  }
}

TEST(CppError, StatusesOfTheFutureAreErrors) {
  EXPECT_THROW(throw_error(99, "new"), Error);
  for (flx_status s = FLX_ERROR; s <= FLX_ERROR_INTERNAL; ++s) {
    try {
      throw_error(s, "x");
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), s);
    }
  }
}

TEST(CppOptions, AreWrittenAsTheLibraryReadsThem) {
  auto text = [](const OptionValue& v) { return v.text(); };
  EXPECT_EQ(text(5), "5");
  EXPECT_EQ(text(int64_t{1} << 40), "1099511627776");
  EXPECT_EQ(text(0.1), "0.1");
  EXPECT_EQ(text(1e-8), "1e-08");
  EXPECT_EQ(text(true), "True");
  EXPECT_EQ(text("relu"), "relu");
  EXPECT_EQ(text(std::string("x")), "x");
  EXPECT_EQ(text({2, 3}), "(2, 3)");
  EXPECT_EQ(text(Shape{7}), "(7,)");
  EXPECT_EQ(text(Shape{}), "()");
  EXPECT_EQ(text(DType::bfloat16), "bfloat16");
  EXPECT_EQ(text(std::nullopt), "None");
  EXPECT_EQ(text(std::optional<double>()), "None");
  EXPECT_EQ(text(std::optional<int>(3)), "3");
  EXPECT_EQ(text(OptionalInts{std::nullopt, 3}), "(None, 3)");
  EXPECT_EQ(text(OptionalInts(std::nullopt)), "None");
  EXPECT_EQ(text(OptionalInts(2)), "(2,)");
  EXPECT_EQ(text(std::vector<double>{0.5, 1}), "(0.5, 1)");
  Options o{{"a", 1}, {"b", "x"}};
  o.set("a", 2);
  EXPECT_EQ(o.pairs(), (std::vector<std::pair<std::string, std::string>>{{"a", "2"}, {"b", "x"}}));
}
