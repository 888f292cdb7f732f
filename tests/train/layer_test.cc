// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "helpers.h"
#include "base/json.h"
#include "graph/draw.h"
#include "graph/summary.h"
#include "train/all.h"
#include "train/symbol_layer.h"

namespace flx {
namespace {

Ref<Layer> LeNet() {
  auto net = Layer::New("Sequential");
  auto add = [&](const char* kind, const Settings& s = {}) { net->Add(Layer::New(kind, s)); };
  add("Conv2D", {{"channels", "20"}, {"kernel_size", "5"}});
  add("BatchNorm");
  add("Activation", {{"activation", "relu"}});
  add("MaxPool2D", {{"pool_size", "2"}});
  add("Conv2D", {{"channels", "50"}, {"kernel_size", "(5, 5)"}});
  add("BatchNorm");
  add("Activation", {{"activation", "relu"}});
  add("MaxPool2D");
  add("Dense", {{"units", "500"}, {"activation", "relu"}});
  add("Dropout", {{"rate", "0.5"}});
  add("Dense", {{"units", "10"}});
  return net;
}

TEST(Layer, ParametersHaveGluonsNamesAndOrder) {
  auto decls = DeclareParams(*LeNet(), {ParseShape("input shape", "(None, 1, 28, 28)")});
  std::vector<std::string> names;
  for (auto& d : decls) names.push_back(d.name + Text(d.shape));
  EXPECT_EQ(names, (std::vector<std::string>{"0.weight(20, 1, 5, 5)", "0.bias(20,)", "1.gamma(20,)", "1.beta(20,)", "1.running_mean(20,)", "1.running_var(20,)",
                                             "4.weight(50, 20, 5, 5)", "4.bias(50,)", "5.gamma(50,)", "5.beta(50,)", "5.running_mean(50,)", "5.running_var(50,)",
                                             "8.weight(500, 800)", "8.bias(500,)", "10.weight(10, 500)", "10.bias(10,)"}));
  for (auto& d : decls) {
    EXPECT_EQ(d.aux, Has(d.name, "running")) << d.name;
    EXPECT_EQ(d.trainable, !d.aux) << d.name;
  }
  EXPECT_EQ(OutputShapes(*LeNet(), {{7, 1, 28, 28}}), std::vector<Shape>{Shape({7, 10})});
}

TEST(Layer, JsonRoundTripIsExact) {
  auto net = LeNet();
  std::string json = net->ToJson();
  EXPECT_EQ(json.substr(0, 100), "{\"children\":[{\"kind\":\"Conv2D\",\"settings\":{\"channels\":\"20\",\"kernel_size\":\"(5,)\"}},{\"kind\":\"BatchNorm\"");
  auto again = Layer::FromJson(json);
  EXPECT_EQ(again->ToJson(), json);
  EXPECT_EQ(again->children()[4]->Text("kernel_size"), "(5, 5)");
  auto named = Layer::New("Dense", {{"units", "3"}, {"activation", "tanh"}}, "köpf");
  EXPECT_EQ(named->ToJson(), "{\"kind\":\"Dense\",\"name\":\"köpf\",\"settings\":{\"activation\":\"tanh\",\"units\":\"3\"}}");
  EXPECT_EQ(Layer::FromJson(named->ToJson())->name, "köpf");
}

TEST(Layer, HostileJsonIsRefused) {
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "{\"kind\":\"Sequential\",\"children\":[";
  std::string wide = "{\"kind\":\"Sequential\",\"children\":[";
  for (int i = 0; i < 100001; ++i) wide += "{\"kind\":\"Flatten\"},";
  wide.back() = ']', wide += "}";
  std::string nested = "{\"kind\":\"Flatten\"}";
  for (int i = 0; i < 80; ++i) nested = "{\"kind\":\"Sequential\",\"children\":[" + nested + "]}";
  for (const std::string& text : std::vector<std::string>{
           "", "null", "[]", "{", "{}", "{\"kind\":3}", "{\"kind\":\"Dens\"}", "{\"kind\":\"Dense\"}", "{\"kind\":\"Dense\",\"settings\":{\"units\":10}}",
           "{\"kind\":\"Dense\",\"settings\":{\"units\":\"-1\"}}", "{\"kind\":\"Dense\",\"settings\":{\"units\":\"1\",\"unit\":\"1\"}}",
           "{\"kind\":\"Dense\",\"settings\":{\"units\":\"1\",\"units\":\"2\"}}", "{\"kind\":\"Flatten\",\"other\":1}", "{\"kind\":\"Flatten\",\"children\":[{\"kind\":\"Flatten\"}]}",
           "{\"kind\":\"Sequential\",\"children\":{}}", "{\"kind\":\"Flatten\",\"name\":1}", "{\"kind\":\"Flatten\"} x", "\xff", deep, wide,
           "{\"kind\":\"Sequential\",\"children\":[{\"kind\":\"L2Loss\"}]}"})
    EXPECT_THROW(
        {
          try {
            Layer::FromJson(text);
          } catch (const Error& e) {
            EXPECT_TRUE(e.status() == Status::kFormat || e.status() == Status::kArgument) << e.message();
            throw;
          }
        },
        Error)
        << text.substr(0, 80);
  EXPECT_THROW(Layer::FromJson(nested), Error);
}

TEST(Layer, ErrorsNameTheLayer) {
  auto net = LeNet();
  std::string text = MessageOf([&] { DeclareParams(*net, {{64, 28, 28}}); }, Status::kShape);
  EXPECT_TRUE(Has(text, "Conv2D") && Has(text, "(64, 28, 28)") && Has(text, "layer 0")) << text;
  text = MessageOf([&] { DeclareParams(*net, {{64, 1, 4, 28}}); }, Status::kShape);
  EXPECT_TRUE(Has(text, "layer 0")) << text;
  text = MessageOf([] { Layer::New("Dense", {{"unit", "3"}}); }, Status::kName);
  EXPECT_TRUE(Has(text, "`units`")) << text;
  MessageOf([] { Layer::New("Conv2D", {{"channels", "3"}, {"kernel_size", "(1, 2, 3)"}}); }, Status::kArgument);
  MessageOf([] { Layer::New("Conv2D", {{"channels", "3"}, {"kernel_size", "3"}, {"groups", "2"}}); }, Status::kArgument);
  MessageOf([] { Layer::New("Dropout", {{"rate", "1"}}); }, Status::kArgument);
  text = MessageOf([] { Layer::New("Dense", {{"units", "3"}, {"weight_initializer", "Xaver"}}); }, Status::kName);
  EXPECT_TRUE(Has(text, "Xavier")) << text;
}

TEST(Layer, IntegerInputIsAnErrorThatSaysWhatToDo) {
  auto dense = Layer::New("Dense", {{"units", "3"}});
  auto params = InitParams(*dense, {{-1, 4}}, DType::kFloat32, nullptr, 1);
  EagerBuilder b(kPlain);
  ParamReader reader(*params);
  std::string text = MessageOf([&] { LayerContext(b, reader).Run(*dense, {b.Add(Array::Filled({2, 4}, DType::kInt64, 1))}); }, Status::kType);
  EXPECT_TRUE(Has(text, "int64") && Has(text, "Cast")) << text;
}

TEST(Layer, SampleWeightsAreOneForEachSample) {
  auto of = [](const Shape& s, std::vector<double> v) { return FromHost(v.data(), int64_t(v.size()) * 8, DType::kFloat64, false, s, DType::kFloat64); };
  auto loss = [&](const Shape& weights, std::vector<double> w) {
    return Read(Forward(*Layer::New("L2Loss"), Params(), {of({3, 2}, {1, 1, 2, 2, 4, 4}), of({3, 2}, {0, 0, 0, 0, 0, 0}), of(weights, std::move(w))})[0]);
  };
  const std::vector<double> want = {0.5, 0, 24};
  EXPECT_EQ(loss({3}, {1, 0, 3}), want);
  EXPECT_EQ(loss({3, 1}, {1, 0, 3}), want);
  EXPECT_EQ(loss({3, 2}, {1, 1, 0, 0, 3, 3}), want);
  EXPECT_EQ(loss({2}, {0, 2}), (std::vector<double>{0.5, 2, 8})) << "as it broadcasts";
  EXPECT_EQ(Read(Forward(*Layer::New("SoftmaxCrossEntropyLoss"), Params(), {of({2, 2}, {0, 0, 0, 0}), of({2}, {0, 1}), of({2}, {0, 2})})[0])[0], 0);
  std::string text = MessageOf([&] { loss({5, 3, 2}, std::vector<double>(30, 1)); }, Status::kShape);
  EXPECT_TRUE(Has(text, "sample_weight") && Has(text, "(3,)")) << text;
}

TEST(Layer, ChildrenAreAddedBeforehand) {
  auto a = Layer::New("Sequential"), b = Layer::New("Sequential");
  MessageOf([&] { a->Add(a); }, Status::kArgument);
  a->Add(b);
  MessageOf([&] { b->Add(a); }, Status::kState);
  MessageOf([&] { Layer::New("Dense", {{"units", "1"}})->Add(a); }, Status::kUnsupported);
  auto net = Layer::New("Sequential");
  for (int i = 0; i < 63; ++i) {
    auto outer = Layer::New("Sequential");
    outer->Add(net);
    net = outer;
  }
  MessageOf([&] { Layer::New("Sequential")->Add(net); }, Status::kArgument);
}

TEST(Layer, At) {
  auto net = Layer::New("Sequential"), inner = Layer::New("Sequential");
  inner->Add(Layer::New("Flatten"));
  net->Add(Layer::New("Flatten"));
  net->Add(inner);
  EXPECT_EQ(net->At("1.0"), inner->children()[0]);
  EXPECT_EQ(net->At(""), net);
  for (const char* wrong : {"2", "1.1", "01", "1.", "-1", "x", "1.0.0"}) EXPECT_FALSE(net->At(wrong)) << wrong;
}

TEST(Params, ValuesDependOnSeedNameAndShapeOnly) {
  auto read = [](const NDArray& a) {
    std::vector<float> v(size_t(a->size()));
    ReadArray(*a, v.data(), a->bytes(), DType::kFloat32, false);
    return v;
  };
  auto p = InitParams(*LeNet(), {{-1, 1, 28, 28}}, DType::kFloat32, nullptr, 1), q = InitParams(*LeNet(), {{5, 1, 28, 28}}, DType::kFloat32, nullptr, 1);
  auto other = InitParams(*LeNet(), {{-1, 1, 28, 28}}, DType::kFloat32, nullptr, 2);
  EXPECT_EQ(read(p->Get("4.weight")), read(q->Get("4.weight")));
  EXPECT_NE(read(p->Get("4.weight")), read(other->Get("4.weight")));
  // another network whose parameter has this name and shape
  auto net = Layer::New("Sequential");
  for (int i = 0; i < 10; ++i) net->Add(Layer::New("Flatten"));
  net->Add(Layer::New("Dense", {{"units", "10"}}));
  EXPECT_EQ(read(InitParams(*net, {{-1, 500}}, DType::kFloat32, nullptr, 1)->Get("10.weight")), read(p->Get("10.weight")));
  EXPECT_EQ(read(p->Get("1.gamma")), std::vector<float>(20, 1));
  EXPECT_EQ(read(p->Get("10.bias")), std::vector<float>(10, 0));
  EXPECT_FALSE(p->Get("11.bias"));
  // pinned: a change of these values changes every trained network
  auto w = read(p->Get("10.weight"));
  EXPECT_FLOAT_EQ(w[0], 0.10647441f);
  EXPECT_FLOAT_EQ(w[4999], -0.075484984f);
}

TEST(Layer, SummaryFitsItsColumns) {
  std::string s = Summary(*LeNet(), {ParseShape("input shape", "(None, 1, 28, 28)")}, 80);
  EXPECT_TRUE(Has(s, "(None, 20, 24, 24)")) << s;
  EXPECT_TRUE(Has(s, "parameters 431,360, trained 431,220")) << s;
  EXPECT_TRUE(Has(s, "multiply-adds 2,293,000")) << s;  // of one sample
  for (int columns : {30, 40, 60, 100}) {
    std::string t = Summary(*LeNet(), {ParseShape("input shape", "(None, 1, 28, 28)")}, columns);
    for (auto& line : Split(t, '\n')) EXPECT_LE(int(line.size()), columns) << t;
  }
}

// The same network as layers and as a graph: the tables count the same.
TEST(Layer, TableAndThatOfItsGraphAgree) {
  auto totals = [](const std::string& json) { return *ParseJson(json, "test").Find("totals"); };
  auto check = [&](const Ref<Layer>& layer, const Shape& input) {
    auto graph = LayerGraph(*layer, {input}, DType::kFloat32);
    JsonValue a = totals(LayerTable(*layer, {input})), b = totals(SymbolTable(*graph));
    for (const char* key : {"parameters", "trained", "bytes", "multiply_adds"}) {
      EXPECT_TRUE(a.Find(key)->is(JsonValue::kInteger)) << layer->def.name << " " << key;
      EXPECT_EQ(a.Find(key)->integer, b.Find(key)->integer) << layer->def.name << " " << key;
    }
    EXPECT_GT(a.Find("parameters")->integer, 0);
    std::string picture = DrawSymbol(*graph, "dot");
    EXPECT_FALSE(Has(picture, "weight\", tooltip") || Has(picture, "gamma\", tooltip")) << picture;
  };
  check(LeNet(), {3, 1, 28, 28});
  for (const char* kind : {"RNN", "LSTM", "GRU"}) check(Layer::New(kind, {{"units", "8"}, {"num_layers", "2"}, {"bidirectional", "True"}}), {2, 5, 7});
}

TEST(Layer, TableHasTheSummaryAsData) {
  JsonValue t = ParseJson(LayerTable(*LeNet(), {ParseShape("input shape", "(None, 1, 28, 28)")}), "test");
  auto& rows = t.Find("rows")->items;
  ASSERT_EQ(rows.size(), LeNet()->children().size() + 1);
  auto number = [](const JsonValue& v, const char* key) { return v.Find(key)->is(JsonValue::kInteger) ? v.Find(key)->integer : -1; };
  const JsonValue *conv = &rows[1], *totals = t.Find("totals");
  EXPECT_EQ(conv->Find("kind")->text, "Conv2D");
  EXPECT_EQ(conv->Find("path")->text, "0");
  EXPECT_EQ(number(*conv, "multiply_adds"), 24 * 24 * 20 * 25);
  auto& shape = conv->Find("outputs")->items.at(0).Find("shape")->items;
  ASSERT_EQ(shape.size(), 4u);
  EXPECT_TRUE(shape[0].is(JsonValue::kNull));
  EXPECT_EQ(shape[3].integer, 24);
  int64_t parameters = 0, bytes = 0, multiply_adds = 0;
  for (auto& r : rows) parameters += number(r, "parameters"), bytes += number(r, "bytes"), multiply_adds += number(r, "multiply_adds");
  EXPECT_EQ(parameters, 431360);
  EXPECT_EQ(number(*totals, "parameters"), parameters);
  EXPECT_EQ(number(*totals, "bytes"), bytes);
  EXPECT_EQ(bytes, 4 * parameters);
  EXPECT_EQ(number(*totals, "multiply_adds"), multiply_adds);
  EXPECT_EQ(multiply_adds, 2293000);
  JsonValue half = ParseJson(LayerTable(*Layer::New("Dense", {{"units", "3"}}), {{1, 4}}, DType::kFloat16), "test");
  EXPECT_EQ(number(*half.Find("totals"), "bytes"), 2 * 15);
}

}  // namespace
}  // namespace flx
