// SPDX-License-Identifier: Apache-2.0
// The networks that tests and benchmarks of hybrid execution share, as plain data: flexor::Layer::from_json(models::LeNet().json()), or flx::Layer::FromJson
// below the ABI. benchmarks/peers has the same ones for the peers.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace models {

struct Net {
  std::string kind;
  std::vector<std::pair<std::string, std::string>> settings;
  std::vector<Net> children;
  std::string json() const {
    std::string text = "{\"kind\":\"" + kind + "\"", part;
    for (auto& s : settings) part += (part.empty() ? "\"" : ",\"") + s.first + "\":\"" + s.second + "\"";
    if (!part.empty()) text += ",\"settings\":{" + part + "}";
    part.clear();
    for (auto& c : children) part += (part.empty() ? "" : ",") + c.json();
    if (!part.empty()) text += ",\"children\":[" + part + "]";
    return text + "}";
  }
};
using Shape = std::vector<long long>;

inline Net Sequential(std::vector<Net> children) { return {"Sequential", {}, std::move(children)}; }
inline Net Relu() { return {"Activation", {{"activation", "relu"}}, {}}; }
inline Net Dense(int units, const char* activation = "None") { return {"Dense", {{"units", std::to_string(units)}, {"activation", activation}}, {}}; }
inline Net DenseEach(int units, const char* activation = "None") {  // of the last axis only
  Net n = Dense(units, activation);
  n.settings.emplace_back("flatten", "False");
  return n;
}

inline Net Mlp() { return Sequential({Dense(128, "relu"), Dense(10)}); }

inline Net LeNet() {
  auto conv = [](const char* channels) { return Net{"Conv2D", {{"channels", channels}, {"kernel_size", "5"}, {"activation", "tanh"}}, {}}; };
  const Net pool{"MaxPool2D", {{"pool_size", "2"}}, {}};
  return Sequential({conv("20"), pool, conv("50"), pool, {"Flatten", {}, {}}, Dense(500, "tanh"), Dense(10)});
}

// Convolution without a bias, and batch normalization.
inline void AddConv(std::vector<Net>* to, int channels, int size, int stride) {
  to->push_back({"Conv2D", {{"channels", std::to_string(channels)}, {"kernel_size", std::to_string(size)}, {"strides", std::to_string(stride)},
                            {"padding", std::to_string(size / 2)}, {"use_bias", "False"}}, {}});
  to->push_back({"BatchNorm", {}, {}});
}
// relu(body(x) + side(x)): two convolutions of 3 by 3, or one of them between two of 1 by 1 (deep), where the middle one has the stride.
inline Net ResidualUnit(int in, int channels, int out, int stride, bool deep) {
  std::vector<Net> body, side;
  AddConv(&body, channels, deep ? 1 : 3, deep ? 1 : stride);
  body.push_back(Relu());
  AddConv(&body, channels, 3, deep ? stride : 1);
  if (deep) body.push_back(Relu()), AddConv(&body, out, 1, 1);
  if (in == out && stride == 1) return Sequential({{"Residual", {}, body}, Relu()});
  AddConv(&side, out, 1, stride);
  return Sequential({{"Concurrent", {{"combine", "add"}}, {Sequential(body), Sequential(side)}}, Relu()});
}
// ResNet (He and others, 2015); `first` are the channels of the first stage, whose number doubles with each.
inline Net ResNet(const std::vector<int>& units, bool deep, int classes, int first, bool stem7) {
  std::vector<Net> all;
  AddConv(&all, first, stem7 ? 7 : 3, stem7 ? 2 : 1);
  all.push_back(Relu());
  if (stem7) all.push_back({"MaxPool2D", {{"pool_size", "3"}, {"strides", "2"}, {"padding", "1"}}, {}});
  int in = first;
  for (size_t stage = 0; stage < units.size(); ++stage)
    for (int i = 0; i < units[stage]; ++i) {
      int channels = first << stage, out = deep ? 4 * channels : channels;
      all.push_back(ResidualUnit(in, channels, out, stage && !i ? 2 : 1, deep));
      in = out;
    }
  all.push_back({"GlobalAvgPool2D", {}, {}});
  all.push_back(Dense(classes));
  return Sequential(all);
}
inline Net ResNet18() { return ResNet({2, 2, 2, 2}, false, 10, 64, true); }
inline Net ResNet50() { return ResNet({3, 4, 6, 3}, true, 1000, 64, true); }
inline Net SmallResNet() { return ResNet({1, 2}, false, 10, 8, false); }  // for images of 3 x 16 x 16, say

// Inputs are (steps, batch, ...), as the peers have it.
inline Net Lstm(int units, int layers = 1) {
  return {"LSTM", {{"units", std::to_string(units)}, {"num_layers", std::to_string(layers)}, {"layout", "TNC"}}, {}};
}
inline Net Embedding(int words, int units) { return {"Embedding", {{"input_dim", std::to_string(words)}, {"output_dim", std::to_string(units)}}, {}}; }
// A word for each word: (steps, batch) to (steps, batch, words).
inline Net LanguageModel(int words = 2000, int units = 256) { return Sequential({Embedding(words, units), Lstm(units, 2), DenseEach(words)}); }

// (batch, steps, units) to the same.
inline Net TransformerBlock(int units, int heads) {
  const Net norm{"LayerNorm", {}, {}};
  return Sequential({{"Residual", {}, {norm, {"MultiHeadAttention", {{"heads", std::to_string(heads)}}, {}}}},
                     {"Residual", {}, {norm, DenseEach(4 * units, "gelu"), DenseEach(units)}}});
}
// (batch, steps) to (batch, steps, words).
inline Net Transformer(int words = 2000, int units = 256, int heads = 4, int blocks = 4) {
  std::vector<Net> all = {Embedding(words, units)};
  for (int i = 0; i < blocks; ++i) all.push_back(TransformerBlock(units, heads));
  all.push_back(DenseEach(words));
  return Sequential(all);
}

// What is trained: one batch of images, or of words from 0 to `classes`.
struct Training {
  const char* name;
  Net net;
  Shape input;
  bool words;     // inputs and labels are words, a label for each; else a label for each image
  int classes;
  int items;      // images or words a step
};
inline std::vector<Training> Trainings() {
  return {{"MLP", Mlp(), {64, 784}, false, 10, 64},
          {"LeNet", LeNet(), {64, 1, 28, 28}, false, 10, 64},
          {"ResNet-18", ResNet18(), {16, 3, 64, 64}, false, 10, 16},
          {"LSTM language model", LanguageModel(), {35, 32}, true, 2000, 35 * 32},
          {"transformer", Transformer(), {8, 128}, true, 2000, 8 * 128}};
}
// What predicts.
struct Prediction {
  const char* name;
  Net net;
  Shape input;
};
inline std::vector<Prediction> Predictions() {
  return {{"MLP, batch 1", Mlp(), {1, 784}},         {"LeNet, batch 1", LeNet(), {1, 1, 28, 28}},         {"LSTM, batch 1", Lstm(256), {50, 1, 256}},
          {"LSTM, batch 32", Lstm(256), {50, 32, 256}}, {"ResNet-50, batch 1", ResNet50(), {1, 3, 224, 224}}, {"ResNet-50, batch 8", ResNet50(), {8, 3, 224, 224}}};
}

}  // namespace models
