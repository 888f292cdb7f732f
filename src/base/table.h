// SPDX-License-Identifier: Apache-2.0
// Tables as text, for people: columns side by side, never wider than was asked for.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flx {

// When there is no room, columns of rank 1 and more are left out, the highest rank first; then texts are cut (`least`), the last column first.
struct TableColumn {
  std::string title;
  bool number = false;  // stands to the right and is never cut
  int least = 8;        // characters to which a text may be cut
  int rank = 0;
};
// A column in which no row has anything is left out. Texts may come from anywhere: what would move the cursor or is no UTF-8 is replaced.
std::string TableText(const std::vector<TableColumn>& columns, const std::vector<std::vector<std::string>>& rows, int width);

std::string GroupedText(int64_t n);                      // 1,256,080
int CharacterCount(std::string_view utf8);               // code points
std::string CutText(std::string_view utf8, int most);    // "a long na..", at most so many characters
std::string PlainText(std::string_view text);            // UTF-8 of one line: control characters become U+FFFD

}  // namespace flx
