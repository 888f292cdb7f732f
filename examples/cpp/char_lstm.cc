// SPDX-License-Identifier: Apache-2.0
// A character model: an LSTM learns to tell the next character of a text, and then writes one of its own.
//   char_lstm --text FILE [--epochs 15] [--units 128] [--steps 40] [--length 400] [--seed 1]
// Prints a line per epoch, the loss beside that of the letters' frequencies alone (nats per character), and `length` characters drawn from the model.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "flexor/flexor.hpp"
#include "flexor/nn.hpp"
#include "flexor/op.hpp"

using namespace flexor;

namespace {

// A text as numbers: each byte that occurs has one.
struct Text {
  std::vector<int> codes;
  std::string letters;  // by number
  double entropy = 0;   // of the letters' frequencies, in nats: what a model without memory could reach
};
Text Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  Text t;
  std::map<char, int> number;
  std::vector<double> counts;
  for (char c : bytes) {
    int n = number.emplace(c, static_cast<int>(number.size())).first->second;
    if (n == static_cast<int>(t.letters.size())) t.letters += c, counts.push_back(0);
    counts[static_cast<size_t>(n)] += 1;
    t.codes.push_back(n);
  }
  for (double c : counts) t.entropy -= c / double(bytes.size()) * std::log(c / double(bytes.size()));
  return t;
}

// Windows of `steps` characters, overlapping by half; the label of each character is the next one.
Iter Windows(const Text& t, int64_t steps, int64_t batch, int64_t seed) {
  std::vector<int> data, label;
  int64_t n = static_cast<int64_t>(t.codes.size()), count = 0;
  for (int64_t at = 0; at + steps < n; at += steps / 2, ++count) {
    data.insert(data.end(), t.codes.begin() + at, t.codes.begin() + at + steps);
    label.insert(label.end(), t.codes.begin() + at + 1, t.codes.begin() + at + 1 + steps);
  }
  if (count == 0) throw std::runtime_error("the text is shorter than --steps + 1 characters");
  return Iter::from_arrays({NDArray(data, {count, steps}), NDArray(label, {count, steps})}, {"data", "label"}, {{"batch_size", batch}, {"shuffle", true}, {"seed", seed}});
}

// The trained network one character at a time: its layers as cells, whose parameters are the same arrays by other names.
std::string Write(const Params& trained, const Text& text, int64_t width, int64_t units, const std::string& start, int64_t length, int64_t seed) {
  int64_t letters = static_cast<int64_t>(text.letters.size());
  Layer step = nn::SequentialCell{nn::Embedding(letters, width), nn::LSTMCell(units), nn::Dense(letters)};
  Params params;
  for (auto& name : trained.names()) {
    std::string mine = name;
    if (size_t at = mine.find("l0_"); at != std::string::npos) mine.erase(at, 3);  // 1.l0_i2h_weight is the cell's 1.i2h_weight
    params.set(mine, trained.get(name));
  }
  std::mt19937_64 random(static_cast<uint64_t>(seed));
  std::vector<NDArray> state = {zeros({1, units}), zeros({1, units})};
  std::string written = start;
  std::vector<double> chance;
  for (size_t i = 0; i < written.size(); ++i) {
    int code = static_cast<int>(text.letters.find(written[i]));
    Outputs y = step.run(params, {NDArray(std::vector<int>{code}), state[0], state[1]});
    state = {y[1], y[2]};
    if (i + 1 < written.size() || static_cast<int64_t>(written.size()) >= length) continue;
    chance = op::softmax(y[0] * 1.5, {}).to_vector<double>();  // a little surer than it was trained to be
    written += text.letters[std::discrete_distribution<size_t>(chance.begin(), chance.end())(random)];
  }
  return written;
}

int Run(const std::map<std::string, std::string>& given) {
  auto number = [&](const char* key) {
    const std::string& text = given.at(key);
    char* end = nullptr;
    long long n = std::strtoll(text.c_str(), &end, 10);
    if (*end || text.empty() || n < 1 || n > 1000000) throw std::runtime_error(std::string(key) + " wants a number from 1 on, given " + text);
    return static_cast<int64_t>(n);
  };
  constexpr int64_t kWidth = 32, kBatch = 32;
  Text text = Read(given.at("--text"));
  int64_t letters = static_cast<int64_t>(text.letters.size()), units = number("--units"), steps = number("--steps"), seed = number("--seed");
  if (steps < 2) throw std::runtime_error("--steps wants at least 2");
  Layer net = nn::Sequential{nn::Embedding(letters, kWidth), nn::LSTM(units), nn::Dense(letters).flatten(false)};
  std::printf("%zu characters, %zu different ones\n%s\n", text.codes.size(), text.letters.size(), net.summary({{"data", {kBatch, steps}}}).c_str());

  Model model(net);
  Optimizer adam = optimizer::Adam(0.01);
  adam.schedule(schedule::Cosine());  // down to 0 at the last step
  Task task = fit(model, nn::SoftmaxCrossEntropyLoss(), adam, Windows(text, steps, kBatch, seed), {},
                  {{"epochs", number("--epochs")}, {"seed", seed}, {"clip_gradient", 1.0}}, [](Task& t) {
                    std::printf("%s\n", t.progress().c_str());
                    std::fflush(stdout);
                  });
  std::printf("loss %.3f, letter frequencies %.3f\n\n", task.number("loss"), text.entropy);
  std::printf("%s\n", Write(model.params(), text, kWidth, units, std::string(1, text.letters[0]), number("--length"), seed).c_str());
  return 0;
}

constexpr const char* kUsage = "usage: char_lstm --text FILE [--epochs 15] [--units 128] [--steps 40] [--length 400] [--seed 1]\n";
}  // namespace

int main(int argc, char** argv) {
  try {
    std::map<std::string, std::string> given = {{"--epochs", "15"}, {"--units", "128"}, {"--steps", "40"}, {"--length", "400"}, {"--seed", "1"}};
    bool known = argc % 2 == 1;
    for (int i = 1; i + 1 < argc; i += 2) known = known && (given.count(argv[i]) || std::string(argv[i]) == "--text"), given[argv[i]] = argv[i + 1];
    if (known && given.count("--text")) return Run(given);
    bool help = argc == 2 && std::string(argv[1]) == "--help";
    std::fputs(kUsage, help ? stdout : stderr);
    return help ? 0 : 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "char_lstm: %s\n", e.what());
    return 1;
  }
}
