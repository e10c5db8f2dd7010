#include "client/progress.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/render.h"
#include "client/text.h"

namespace vuf::cli {
namespace {

constexpr int kBarWidth = 30;

// "512.0 MiB left, round 2, downtime about 40 ms"; empty before the transfer.
std::string FiguresText(const v1::Progress& progress) {
  if (progress.ram_total_bytes() == 0) return "";
  std::string text = absl::StrCat(SizeText(progress.ram_remaining_bytes()), " left, round ",
                                  progress.dirty_sync_count());
  if (progress.has_expected_downtime()) {
    absl::StrAppend(&text, ", downtime about ", DurationText(progress.expected_downtime()));
  }
  return text;
}

}  // namespace

int Percent(const v1::Progress& progress) {
  if (progress.ram_total_bytes() == 0) return -1;
  const uint64_t left = std::min(progress.ram_remaining_bytes(), progress.ram_total_bytes());
  return static_cast<int>(100.0 - 100.0 * static_cast<double>(left) /
                                      static_cast<double>(progress.ram_total_bytes()));
}

void ProgressDisplay::Show(const v1::Migration& migration) {
  ShowWhatItWaitsFor(migration);
  const int percent = Percent(migration.progress());
  const std::string state = StateText(migration.state());
  const std::string figures = FiguresText(migration.progress());
  if (bar_) {
    const int filled = std::max(percent, 0) * kBarWidth / 100;
    std::string line =
        absl::StrFormat("[%s%s] %3d%%  %s  %s", std::string(filled, '#'),
                        std::string(kBarWidth - filled, '.'), std::max(percent, 0), state, figures);
    // A line that wraps could not be redrawn.
    line.resize(std::min<size_t>(line.size(), columns_ - 1));
    out_ << "\r\x1b[K" << line << std::flush;
    drawn_ = true;
    return;
  }
  const int tenth = percent / 10;
  if (migration.state() == last_state_ && tenth <= last_tenth_) return;
  last_state_ = migration.state();
  last_tenth_ = std::max(tenth, last_tenth_);
  out_ << state;
  if (percent >= 0) out_ << " " << percent << "%  " << figures;
  out_ << std::endl;
}

void ProgressDisplay::ShowWhatItWaitsFor(const v1::Migration& migration) {
  if (migration.state() != v1::Migration::STATE_AWAITING_DESTINATION ||
      migration.message() == last_message_) {
    return;
  }
  last_message_ = migration.message();
  out_ << (bar_ ? "\r\x1b[K" : "") << Printable(last_message_) << std::endl;
}

void ProgressDisplay::End() {
  if (drawn_) out_ << std::endl;
}

}  // namespace vuf::cli
