// The progress of a migration: a bar on a terminal, lines elsewhere.
#ifndef VUFD_CLIENT_PROGRESS_H_
#define VUFD_CLIENT_PROGRESS_H_

#include <ostream>
#include <string>

#include "vuf/v1/migration.pb.h"

namespace vuf::cli {

// How much of the guest's memory is over, in percent; -1 when unknown.
int Percent(const v1::Progress& progress);

class ProgressDisplay {
 public:
  ProgressDisplay(std::ostream& out, bool bar, int columns)
      : out_(out), bar_(bar), columns_(columns) {}
  // Redraws the bar; or writes a line when the state changed or another tenth is done.
  void Show(const v1::Migration& migration);
  // Leaves the cursor on a fresh line. Call once, at the end.
  void End();

 private:
  // While it waits for a destination: its message, once.
  void ShowWhatItWaitsFor(const v1::Migration& migration);

  std::ostream& out_;
  const bool bar_;
  const int columns_;
  bool drawn_ = false;
  v1::Migration::State last_state_ = v1::Migration::STATE_UNSPECIFIED;
  int last_tenth_ = -1;
  std::string last_message_;
};

}  // namespace vuf::cli

#endif  // VUFD_CLIENT_PROGRESS_H_
