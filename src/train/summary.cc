// SPDX-License-Identifier: Apache-2.0
// The table of layers.
#include <algorithm>

#include "base/utf8.h"
#include "exec/invoke.h"
#include "train/layer.h"

namespace flx {
namespace {

struct Row { std::string layer, shape; int64_t count = 0; bool container = false; };
struct Walk {
  std::vector<std::pair<std::string, const Layer*>> layers;  // in the order of their ends: children before their container
  std::vector<std::vector<Shape>> shapes;
  std::vector<ParamDecl> decls;
};
class Collecting final : public ParamSource {
 public:
  explicit Collecting(Walk* w) : walk_(w) {}
  Val Get(const ParamDecl& d, Builder& b) override {
    walk_->decls.push_back(d);
    return static_cast<ShapeBuilder&>(b).Add(d.shape, d.dtype);
  }

 private:
  Walk* walk_;
};
Walk Go(const Layer& layer, const std::vector<Shape>& inputs, int64_t unknown) {
  ShapeBuilder b(false);
  Walk w;
  Collecting source(&w);
  std::vector<Val> x;
  for (Shape s : inputs) {
    for (int i = 0; i < s.ndim(); ++i)
      if (s[i] < 0) s[i] = unknown;
    x.push_back(b.Add(s, DType::kFloat32));
  }
  LayerContext c(b, source, [&](const std::string& path, const Layer& l, const std::vector<Val>& y) {
    w.layers.emplace_back(path, &l);
    std::vector<Shape> shapes;
    for (Val v : y) shapes.push_back(b.shape(v));
    w.shapes.push_back(std::move(shapes));
  });
  c.Run(layer, x);
  return w;
}
// Sizes that follow an unknown input size differ between two walks.
std::string ShapeText(const std::vector<Shape>& a, const std::vector<Shape>& b) {
  std::string s;
  for (size_t i = 0; i < a.size(); ++i) {
    std::vector<std::string> sizes;
    for (int k = 0; k < a[i].ndim(); ++k) sizes.push_back(a[i][k] == b[i][k] ? Text(a[i][k]) : "None");
    s += Text(i ? ", (" : "(", Join(sizes, ", "), a[i].ndim() == 1 ? ",)" : ")");
  }
  return s;
}
std::string Grouped(int64_t n) {  // 1,256,080
  std::string s = Text(n);
  for (int at = int(s.size()) - 3; at > 0; at -= 3) s.insert(size_t(at), ",");
  return s;
}
std::string Fit(std::string s, size_t width, bool right) {
  if (s.size() > width) {
    size_t n = width > 2 ? width - 2 : 0;
    while (n && (uint8_t(s[n]) & 0xC0) == 0x80) --n;  // not inside a character
    return s.substr(0, n) + "..";
  }
  return right ? std::string(width - s.size(), ' ') + s : s + std::string(width - s.size(), ' ');
}
}  // namespace

std::string LayerTable(const Layer& layer, const std::vector<Shape>& inputs) {
  layer.Freeze();
  Walk a = Go(layer, inputs, 2), b = Go(layer, inputs, 3);
  auto quote = [](std::string* s, std::string_view text) { AppendQuoted(s, ToUtf8(text)); };
  std::string s = "{\"rows\":[";
  for (size_t i = 0; i < a.layers.size(); ++i) {
    s += i ? ",{\"kind\":" : "{\"kind\":", quote(&s, a.layers[i].second->def.name);
    s += ",\"name\":", quote(&s, a.layers[i].second->name);
    s += ",\"outputs\":[";
    for (size_t k = 0; k < a.shapes[i].size(); ++k) {
      std::vector<std::string> sizes;
      for (int d = 0; d < a.shapes[i][k].ndim(); ++d) sizes.push_back(a.shapes[i][k][d] == b.shapes[i][k][d] ? Text(a.shapes[i][k][d]) : "null");
      s += Text(k ? ",{\"shape\":[" : "{\"shape\":[", Join(sizes, ","), "]}");
    }
    s += "],\"path\":", quote(&s, a.layers[i].first), s += "}";
  }
  return s + "]}";
}

std::string Summary(const Layer& layer, const std::vector<Shape>& inputs, int columns) {
  layer.Freeze();
  Walk a = Go(layer, inputs, 2), b = Go(layer, inputs, 3);
  // a container stands before its children: order by path, a position at a time
  std::vector<size_t> order(a.layers.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  auto steps = [](const std::string& path) {
    std::vector<int64_t> v;
    for (auto& s : path.empty() ? std::vector<std::string>() : Split(path, '.')) { v.push_back(0); ParseInt(s, &v.back()); }
    return v;
  };
  std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t j) { return steps(a.layers[i].first) < steps(a.layers[j].first); });
  std::vector<Row> rows;
  for (size_t i : order) {
    const std::string& path = a.layers[i].first;
    Row r;
    r.container = a.layers[i].second->def.container;
    r.layer = Text(std::string(size_t(2 * std::count(path.begin(), path.end(), '.')), ' '), path, path.empty() ? "" : " ", a.layers[i].second->def.name,
                   a.layers[i].second->name.empty() ? "" : " ", a.layers[i].second->name);
    r.shape = ShapeText(a.shapes[i], b.shapes[i]);
    for (auto& d : a.decls) {
      size_t dot = d.name.rfind('.');
      if ((dot == std::string::npos ? "" : d.name.substr(0, dot)) == path) r.count += d.shape.size();
    }
    rows.push_back(std::move(r));
  }
  size_t widths[3] = {5, 12, 10};
  for (auto& r : rows) {
    widths[0] = std::max(widths[0], r.layer.size()), widths[1] = std::max(widths[1], r.shape.size());
    widths[2] = std::max(widths[2], Grouped(r.count).size());
  }
  size_t room = size_t(columns > 0 ? std::max(columns, 30) : 80), used = widths[0] + widths[1] + widths[2] + 4;
  if (used > room) {  // the shape gives way first, then the layer; numbers stay
    size_t cut = std::min(used - room, widths[1] - std::min<size_t>(widths[1], 8));
    widths[1] -= cut, used -= cut;
    if (used > room) widths[0] -= std::min(widths[0] - 4, used - room);
  }
  std::string text;
  auto line = [&](const std::string& l, const std::string& s, const std::string& n) {
    text += Fit(l, widths[0], false) + "  " + Fit(s, widths[1], false) + "  " + Fit(n, widths[2], true) + "\n";
  };
  std::string rule(widths[0] + widths[1] + widths[2] + 4, '-');
  line("layer", "output shape", "parameters");
  text += rule + "\n";
  int64_t all = 0, trained = 0;
  for (auto& d : a.decls) all += d.shape.size(), trained += d.trainable ? d.shape.size() : 0;
  for (auto& r : rows) line(r.layer, r.shape, r.container ? "" : Grouped(r.count));
  text += rule + "\n";
  return text + Text("parameters ", Grouped(all), ", trained ", Grouped(trained), "\n");
}

}  // namespace flx
