// SPDX-License-Identifier: Apache-2.0
// Where everything of a picture stands, in pixels, y downwards; what is inside a frame in the frame's own coordinates.
#pragma once
#include "graph/draw_model.h"

namespace flx {

struct DrawPoint { int x = 0, y = 0; };
struct DrawText { int x = 0, y = 0; std::string text; };  // of its left end, on the line
struct DrawLayout;
struct DrawBox {
  int x = 0, y = 0, width = 0, height = 0;
  std::vector<DrawText> lines;        // in the picture's coordinates
  std::vector<DrawLayout> inside;
};
struct DrawLine {
  int from = 0, to = 0;
  std::vector<DrawPoint> points;      // from the bottom of box `from` to the top of box `to`
};
struct DrawLayout {
  const DrawGraph* graph = nullptr;
  int x = 0, y = 0;                   // in the box around it
  int width = 0, height = 0;
  std::vector<DrawBox> boxes;         // by node
  std::vector<DrawLine> lines;        // by edge
  std::vector<DrawText> labels;       // one for each output whose shape is known
};
DrawLayout LayOut(const DrawGraph& graph);

constexpr int kDrawFont = 11, kDrawLabelFont = 10;  // pixels; a fixed-width font, so that text takes the room it was given

}  // namespace flx
