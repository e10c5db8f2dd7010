#include "server/status/html.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace vuf {

Html::Html(absl::string_view text)
    : markup_(absl::StrReplaceAll(
          text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}})) {
}

Html Html::Element(absl::string_view tag, absl::string_view style, const Html& text) {
  const std::string attribute = style.empty() ? "" : absl::StrCat(" class=\"", style, "\"");
  return Markup(absl::StrCat("<", tag, attribute, ">", text.markup(), "</", tag, ">"));
}

Html Html::Join(const std::vector<Html>& parts) {
  Html all;
  for (const Html& part : parts) absl::StrAppend(&all.markup_, part.markup());
  return all;
}

Html Html::Markup(std::string markup) {
  Html html;
  html.markup_ = std::move(markup);
  return html;
}

Html Render(const HtmlTable& table) {
  std::vector<Html> parts = {
      Html::Element("h2", "", absl::StrCat(table.heading, " (", table.total, ")"))};
  if (table.rows.empty()) {
    parts.push_back(Html::Element("p", "", "None."));
    return Html::Join(parts);
  }
  std::vector<Html> lines;
  std::vector<Html> head;
  head.reserve(table.columns.size());
  for (const std::string& column : table.columns) head.push_back(Html::Element("th", "", column));
  lines.push_back(Html::Element("tr", "", Html::Join(head)));
  for (const std::vector<Html>& row : table.rows) {
    std::vector<Html> cells;
    cells.reserve(row.size());
    for (const Html& cell : row) cells.push_back(Html::Element("td", "", cell));
    lines.push_back(Html::Element("tr", "", Html::Join(cells)));
  }
  parts.push_back(Html::Element("table", "", Html::Join(lines)));
  if (table.rows.size() < table.total) {
    parts.push_back(
        Html::Element("p", "",
                      Html::Join({absl::StrCat("And ", table.total - table.rows.size(), " more: "),
                                  Html::Element("code", "", table.command)})));
  }
  return Html::Join(parts);
}

}  // namespace vuf
