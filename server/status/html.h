// HTML out of text that others chose.
#ifndef VUFD_SERVER_STATUS_HTML_H_
#define VUFD_SERVER_STATUS_HTML_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace vuf {

// A piece of HTML. Made of text it is escaped, so that nothing anybody named becomes markup.
class Html {
 public:
  Html(absl::string_view text);  // NOLINT(google-explicit-constructor): what makes it safe to use
  Html(const char* text) : Html(absl::string_view(text)) {}  // NOLINT(google-explicit-constructor)
  Html(const std::string& text)                              // NOLINT(google-explicit-constructor)
      : Html(absl::string_view(text)) {}

  // `text` between <`tag` class="`style`"> and its end; without a class when `style` is empty. Both
  // are the program's own words.
  static Html Element(absl::string_view tag, absl::string_view style, const Html& text);
  static Html Join(const std::vector<Html>& parts);
  // `markup` is the program's own.
  static Html Markup(std::string markup);

  const std::string& markup() const { return markup_; }

 private:
  Html() = default;

  std::string markup_;
};

// A table under a heading, with the number of rows there are in the heading. `rows` may be fewer:
// then a line below says how many are not shown and that `command` shows them.
struct HtmlTable {
  std::string heading;
  size_t total = 0;
  std::string command;
  std::vector<std::string> columns;
  std::vector<std::vector<Html>> rows;
};
Html Render(const HtmlTable& table);

}  // namespace vuf

#endif  // VUFD_SERVER_STATUS_HTML_H_
